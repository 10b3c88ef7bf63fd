package money_test

import (
	"fmt"

	"tillbook.example/tillbook/shared/money"
)

func ExampleSplit() {
	weights := []money.Decimal{money.MustParse("4.50"), money.MustParse("4.50"), money.MustParse("1.00")}
	parts, err := money.Split(money.MustParse("-0.99"), weights, 2)
	fmt.Println(parts, err)
	// Output: [-0.45 -0.44 -0.10] <nil>
}

func ExampleToMinor() {
	cents, rest := money.ToMinor(money.MustParse("12.345"), 2)
	fmt.Println(cents.Format(2), rest)
	// Output: 12.35 -0.005
}
