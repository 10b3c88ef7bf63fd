package bizday_test

import (
	"fmt"
	"time"

	"tillbook.example/tillbook/shared/bizday"
)

func Example() {
	bar, err := bizday.NewRule("Europe/London", "04:00")
	if err != nil {
		fmt.Println(err)
		return
	}
	sale, flag := bar.Local(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC))
	day := bar.Of(sale)
	fmt.Println(sale, flag)
	fmt.Println(day, bar.End(day).Sub(bar.Start(day)))
	// Output:
	// 2026-10-25 01:30:00 +0100 BST DST_AMBIGUOUS
	// 2026-10-24 25h0m0s
}
