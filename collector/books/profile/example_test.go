package profile_test

import (
	"fmt"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/books/profile"
)

func ExampleComplete() {
	germany, err := profile.Of("DE")
	if err != nil {
		fmt.Println(err)
		return
	}
	mapping, err := profile.Complete(books.Mapping{Profile: "DE", Codes: map[string]string{"DE-19": "USt19"}, Accounts: map[books.Role]string{
		books.CashOnHand: "1000", books.Sales: "4000", books.OutputTax: "3800",
	}})
	fmt.Println(mapping.Currency, mapping.Taxes[1].Code, mapping.Taxes[1].Why, err)
	meals, _ := germany.Rule(profile.Meals, "2026-11-03")
	fmt.Println(meals.Text)
	// Output:
	// EUR USt19 standard rate: UStG § 12 Abs. 1 <nil>
	// Meals bear 7 % on the spot and to take away; drinks on the spot bear 19 %.
}
