package books_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// busyDay is a day of n receipts of three lines, two tenders and two tax rates,
// from 50 terminals in turn.
func busyDay(n int) []*document.Document {
	documents := make([]*document.Document, n)
	for i := range documents {
		number := strconv.Itoa(i/50 + 1)
		d := receipt(document.Sale, number,
			item("12.00", "Food", vat20("10.00", "2.00")), item("10.50", "Drinks", tax("B", "5", "10.00", "0.50")), item("6.00", "Food", vat20("5.00", "1.00")),
			card("8.50"), cash("20.00"))
		d.Key.Terminal = strconv.Itoa(i % 50)
		documents[i] = d
	}
	return documents
}

const busy = 100_000

func BenchmarkBuild100000Receipts(b *testing.B) {
	in := day(ukMapping(b), busyDay(busy)...)
	b.ResetTimer()
	for b.Loop() {
		if entry, problems := books.Build(in); len(problems) > 0 || len(entry.Lines) == 0 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkProveAndBuild100000Receipts(b *testing.B) {
	in := day(ukMapping(b), busyDay(busy)...)
	b.ResetTimer()
	for b.Loop() {
		proof := reconcile.Prove(reconcile.Input{Documents: in.Documents})
		if !proof.Proven {
			b.Fatal(proof.Differences)
		}
		in.OverShort = reconcile.OverShort(proof)
		if entry, problems := books.Build(in); len(problems) > 0 || len(entry.Lines) == 0 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkCanonical100000Receipts(b *testing.B) {
	entry, _ := books.Build(day(ukMapping(b), busyDay(busy)...))
	size := 0
	b.ResetTimer()
	for b.Loop() {
		size = len(entry.Canonical())
	}
	b.ReportMetric(float64(size), "bytes")
}

// BenchmarkGrowth proves and books days of growing size.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			in := day(ukMapping(b), busyDay(n)...)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				proof := reconcile.Prove(reconcile.Input{Documents: in.Documents})
				in.OverShort = reconcile.OverShort(proof)
				if entry, problems := books.Build(in); len(problems) > 0 || len(entry.Lines) == 0 {
					b.Fatal(problems)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/receipt")
		})
	}
}

// BenchmarkExplainALine finds the documents behind one line of a busy day, from
// the entry as it is stored.
func BenchmarkExplainALine(b *testing.B) {
	entry, _ := books.Build(day(ukMapping(b), busyDay(busy)...))
	stored := entry.Canonical()
	b.ResetTimer()
	for b.Loop() {
		var read books.Entry
		if err := json.Unmarshal(stored, &read); err != nil {
			b.Fatal(err)
		}
		if l := read.Lines[len(read.Lines)-1]; len(l.Documents) != busy || l.Rule == "" {
			b.Fatalf("a line of %d documents", len(l.Documents))
		}
	}
}
