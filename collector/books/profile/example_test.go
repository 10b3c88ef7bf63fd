package profile_test

import (
	"fmt"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/books/profile"
)

func ExampleProfile_Mapping() {
	germany, err := profile.Of("DE")
	if err != nil {
		fmt.Println(err)
		return
	}
	mapping, err := germany.Mapping(profile.Choices{Accounts: map[books.Role]string{
		books.CashOnHand: "1000", books.Sales: "4000", books.OutputTax: "3800",
	}})
	fmt.Println(mapping.Currency, mapping.Taxes[1].Code, err)
	meals, _ := germany.Rule(profile.Meals, "2026-11-03")
	fmt.Println(meals.Text)
	// Output:
	// EUR DE-19 <nil>
	// Meals bear 7 % on the spot and to take away; drinks on the spot bear 19 %.
}
