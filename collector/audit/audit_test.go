package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/text"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/wire"
)

// world is a collector's state, read out of a real database after real work, so
// that a test can break it: each of its parts is what audit.Source returns.
type world struct {
	merchants []merchant.Merchant
	mappings  map[int]merchant.Mapping
	agents    []fleet.Agent
	days      []day.StoreDay
	facts     map[day.Ref]day.Facts
	due       []posting.Due
	documents []audit.Document
	entries   []day.Entry
	postings  []posting.Posting
	withdrawn []day.Ref
	decided   []string
	epochs    []audit.Epoch
	runs      []audit.Run
	acts      []logbook.Act
	books     *postingtest.Books
}

func (w *world) Merchants(context.Context) ([]merchant.Merchant, error) { return w.merchants, nil }
func (w *world) Mapping(_ context.Context, _ string, version int) (merchant.Mapping, error) {
	m, known := w.mappings[version]
	if !known {
		return m, storage.ErrNone
	}
	return m, nil
}
func (w *world) Agents(context.Context) ([]fleet.Agent, error)           { return w.agents, nil }
func (w *world) Days(context.Context, string) ([]day.StoreDay, error)    { return w.days, nil }
func (w *world) Due(context.Context, string) ([]posting.Due, error)      { return w.due, nil }
func (w *world) Facts(_ context.Context, ref day.Ref) (day.Facts, error) { return w.facts[ref], nil }
func (w *world) EachDocument(_ context.Context, _ string, f func(audit.Document) error) error {
	return each(w.documents, f)
}
func (w *world) EachEntry(_ context.Context, _ string, f func(day.Entry) error) error {
	return each(w.entries, f)
}
func (w *world) EachPosting(_ context.Context, _ string, f func(posting.Posting) error) error {
	return each(w.postings, f)
}
func (w *world) EachWithdrawn(_ context.Context, _ string, f func(ref day.Ref, target string) error) error {
	for _, ref := range w.withdrawn {
		if err := f(ref, "books"); err != nil {
			return err
		}
	}
	return nil
}
func (w *world) EachDecided(_ context.Context, _ string, f func(target, reference string) error) error {
	for _, reference := range w.decided {
		if err := f("books", reference); err != nil {
			return err
		}
	}
	return nil
}
func (w *world) EachEpoch(_ context.Context, _ string, f func(audit.Epoch) error) error {
	return each(w.epochs, f)
}
func (w *world) EachRun(_ context.Context, _ string, f func(audit.Run) error) error {
	return each(w.runs, f)
}

func (w *world) EachAct(_ context.Context, id string, f func(logbook.Act) error) error {
	if id == logbook.Collector {
		return nil
	}
	return each(w.acts, f)
}

func each[T any](all []T, f func(T) error) error {
	for _, one := range all {
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// shop is a collector at work: a database, an agent that sends, books.
type shop struct {
	testing.TB
	db     *storage.DB
	source audit.Source
	id     fleet.Identity
	epoch  [16]byte
	sent   uint64
	path   string // of the database
	digest [32]byte
	target target.Target
	poster *posting.Poster
	now    time.Time
}

func open(t testing.TB, target target.Target) *shop {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := storage.Open(t.Context(), storage.Options{Path: path})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	must(t, db.Migrate(t.Context()))
	s := &shop{TB: t, path: path, db: db, source: db, epoch: [16]byte{1}, target: target, now: postingtest.Morning}
	_, err = db.Apply(t.Context(), postingtest.Shop(), s.now)
	must(t, err)
	code := fleet.Code{Hash: sha256.Sum256([]byte("code")), Merchant: "m", Store: "high", ExpiresAt: s.now.Add(time.Hour)}
	must(t, db.AddCode(t.Context(), code))
	s.id, err = db.Redeem(t.Context(), code.Hash, "a1", "pc", "1", postingtest.Noon)
	must(t, err)
	_, err = db.Issue(t.Context(), s.id, s.epoch, [32]byte{}, "first", postingtest.Noon)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send sends documents in one batch.
func (s *shop) send(documents ...*document.Document) {
	s.Helper()
	b := intake.Batch{From: s.id, Epoch: s.epoch, First: s.sent + 1, Before: s.digest, At: s.now}
	for _, d := range documents {
		d.Key.Merchant = ""
		body, err := document.Marshal(d)
		must(s.TB, err)
		read, err := document.Unmarshal(body)
		must(s.TB, err)
		hash := document.Hash(read)
		read.Key.Merchant, read.ContentHash = "m", hex.EncodeToString(hash[:])
		s.sent++
		s.digest = wire.Next(s.digest, body)
		b.Digests = append(b.Digests, s.digest)
		b.Records = append(b.Records, intake.Record{
			Capture: s.sent, Bytes: body, Document: read, Key: read.Key.String(), Hash: hash, Day: postingtest.Day,
		})
	}
	b.Captured = intake.Watermark{Time: s.now, Number: s.sent}
	_, err := s.db.Commit(s.Context(), b)
	must(s.TB, err)
}

// work closes and posts.
func (s *shop) work() {
	s.Helper()
	clock := func() time.Time { return s.now }
	closer := &day.Closer{Store: s.db, Now: clock, Mapping: s.db.Mapping}
	_, err := closer.Sweep(s.Context())
	must(s.TB, err)
	poster := &posting.Poster{
		Store: s.db, Directory: s.db, Now: clock,
		Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return s.target, nil },
	}
	_, err = poster.Sweep(s.Context())
	must(s.TB, err)
}

func (s *shop) verify() audit.Report {
	s.Helper()
	return verify(s.TB, s.source, s.target)
}

func verify(t testing.TB, source audit.Source, books target.Target) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), audit.Options{
		Source: source, Now: postingtest.Morning.Add(time.Hour),
		Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return books, nil },
	})
	must(t, err)
	return report
}

func wantClean(t testing.TB, report audit.Report) {
	t.Helper()
	for _, result := range report.Results {
		if result.Count > 0 || len(result.Skipped) > 0 {
			t.Errorf("%+v", result)
		}
	}
	if !report.OK() {
		t.FailNow()
	}
}

// healthy is a day that was closed and posted, and changed late.
func healthy(t *testing.T) *shop {
	t.Helper()
	s := open(t, &postingtest.Books{Unique: true})
	s.send(postingtest.Sale("1", 1200), postingtest.Sale("2", 600))
	s.work()
	s.send(postingtest.Sale("3", -300), postingtest.Sale("2", 900))
	s.work()
	return s
}

func TestACollectorAtWorkKeepsItsPromises(t *testing.T) {
	t.Parallel()
	report := healthy(t).verify()
	wantClean(t, report)
	for _, result := range report.Results[1:] {
		if result.Checked == 0 && result.Promise != "P3" {
			t.Errorf("%s: nothing was checked", result.Promise)
		}
	}
}

func TestADayThatWasBookedByItsZIsMadeAgainAsItWas(t *testing.T) {
	t.Parallel()
	s := open(t, &postingtest.Books{Unique: true})
	m := postingtest.Shop()
	m.Unproven = merchant.UnprovenZ
	m.Mappings[0].Mapping.Suspense = "Assets:Suspense"
	_, err := s.db.Apply(t.Context(), m, s.now)
	must(t, err)
	z := postingtest.Sale("z", 0)
	z.Key.Space, z.Kind, z.Lines, z.Tenders = document.SpaceZ, document.PeriodClose, nil, nil
	gross := money.MustParse("18.00")
	z.Close = &document.Close{
		FirstReceipt: "1", LastReceipt: "2", Gross: &gross,
		ByTax: []document.Tax{{Code: "A", Scheme: "VAT", Rate: money.MustParse("20"), Base: money.MustParse("15.00"), Amount: money.MustParse("3.00")}},
	}
	first := postingtest.Sale("1", 1200)
	first.Numbers.Receipt = "1"
	s.send(first, z)
	s.now = s.now.AddDate(0, 0, 7)
	s.work()
	days, err := s.db.Days(t.Context(), "m")
	must(t, err)
	if len(days) != 1 || days[0].State != day.Ready {
		t.Fatalf("%+v", days)
	}
	wantClean(t, s.verify())
}

func TestBooksAsTextKeepTheirPromisesToo(t *testing.T) {
	t.Parallel()
	books, err := text.Open(text.Options{Folder: t.TempDir(), Format: text.Hledger, Currency: "GBP"})
	must(t, err)
	s := open(t, books)
	s.send(postingtest.Sale("1", 1200))
	s.work()
	s.send(postingtest.Sale("2", -300))
	s.work()
	wantClean(t, s.verify())
}

func TestWhatIsUnderWayIsNotAViolation(t *testing.T) {
	t.Parallel()
	for _, fault := range []postingtest.Fault{postingtest.FailUnbooked, postingtest.BookThenFail, postingtest.Refuse} {
		books := &postingtest.Books{Unique: true}
		s := open(t, books)
		s.send(postingtest.Sale("1", 1200))
		s.work()
		wantClean(t, s.verify())
		s.send(postingtest.Sale("2", 600))
		wantClean(t, s.verify()) // changed, not closed
		books.Fail(fault)
		s.work()
		wantClean(t, s.verify())
	}
}

// load reads a collector's state out.
func load(s *shop) *world {
	s.Helper()
	w := &world{facts: map[day.Ref]day.Facts{}, mappings: map[int]merchant.Mapping{}, books: s.target.(*postingtest.Books)}
	ctx := s.Context()
	var err error
	w.merchants, err = s.db.Merchants(ctx)
	must(s.TB, err)
	for _, m := range w.merchants[0].Mappings {
		w.mappings[m.Version] = m
	}
	w.agents, err = s.db.Agents(ctx)
	must(s.TB, err)
	w.days, err = s.db.Days(ctx, "m")
	must(s.TB, err)
	for _, d := range w.days {
		w.facts[d.Ref], err = s.db.Facts(ctx, d.Ref)
		must(s.TB, err)
	}
	w.due, err = s.db.Due(ctx, "")
	must(s.TB, err)
	must(s.TB, s.source.EachDocument(ctx, "m", func(d audit.Document) error { w.documents = append(w.documents, d); return nil }))
	must(s.TB, s.source.EachEntry(ctx, "m", func(e day.Entry) error { w.entries = append(w.entries, e); return nil }))
	must(s.TB, s.source.EachPosting(ctx, "m", func(p posting.Posting) error { w.postings = append(w.postings, p); return nil }))
	must(s.TB, s.source.EachEpoch(ctx, "m", func(e audit.Epoch) error { w.epochs = append(w.epochs, e); return nil }))
	must(s.TB, s.source.EachRun(ctx, "m", func(r audit.Run) error { w.runs = append(w.runs, r); return nil }))
	must(s.TB, s.source.EachAct(ctx, "m", func(a logbook.Act) error { w.acts = append(w.acts, a); return nil }))
	return w
}

// replaced is an entry's body with one text for another.
func replaced(t *testing.T, body []byte, old, replacement string) []byte {
	t.Helper()
	if !strings.Contains(string(body), old) {
		t.Fatalf("%q does not stand in %s", old, body)
	}
	return []byte(strings.Replace(string(body), old, replacement, 1))
}

// The healthy world has the keys high|1|RECEIPT|1, 2 (twice) and 3, one day with
// entries 2 and 4, postings 1 and 2, one epoch and two runs of two numbers.
func TestEachPlantedViolationIsCounted(t *testing.T) {
	t.Parallel()
	base := healthy(t)
	for _, test := range []struct {
		promise string
		name    string
		plant   func(t *testing.T, w *world)
		says    string
	}{
		{"P2", "no current revision", func(_ *testing.T, w *world) { w.documents[0].Standing = "past" }, "0 of its 1 revisions are current"},
		{"P2", "two current revisions", func(_ *testing.T, w *world) { w.documents[1].Standing = "current" }, "2 of its 2 revisions are current"},
		{"P2", "a revision is missing", func(_ *testing.T, w *world) { w.documents = slices.Delete(w.documents, 1, 2) }, "revision 2 follows 0"},
		{"P2", "other bytes", func(_ *testing.T, w *world) { w.documents[0].Body = w.documents[1].Body }, "do not have its content hash"},
		{"P2", "no bytes", func(_ *testing.T, w *world) { w.documents[0].Body = []byte{0xff} }, "cannot be read"},
		{"P2", "a document in two days", func(t *testing.T, w *world) {
			e := w.entries[1]
			e.Day, e.Version, e.Reason = "2026-11-04", 1, "close"
			e.Body = replaced(t, e.Body, `"day":"2026-11-03"`, `"day":"2026-11-04"`)
			w.entries = append(w.entries, e)
			d := w.days[0]
			d.Day, d.Version, d.Entry = "2026-11-04", 1, 1
			w.days = append(w.days, d)
			f := w.facts[w.days[0].Ref]
			f.StoreDay = d
			w.facts[d.Ref] = f
			w.due = append(w.due, posting.Due{Ref: d.Ref, Target: "books", Entry: e})
		}, "is also in the entry of day 2026-11-03"},
		{"P3", "a contradiction without a mark", func(_ *testing.T, w *world) {
			d := w.documents[0]
			d.Revision, d.Standing, d.Hash, d.Body, d.Number = 2, "conflict", w.documents[1].Hash, w.documents[1].Body, 2
			w.documents = slices.Insert(w.documents, 1, d)
		}, "not marked"},
		{"P3", "closed over a conflict", func(_ *testing.T, w *world) { w.documents[0].Conflict = true }, "closed over 1 conflicts"},
		{"P4", "an entry out of balance", func(t *testing.T, w *world) {
			w.entries[0].Body = replaced(t, w.entries[0].Body, `"amount":1800`, `"amount":1801`)
		}, "differ by 1"},
		{"P4", "an entry that cannot be read", func(_ *testing.T, w *world) { w.entries[0].Body = []byte("{") }, "cannot be read"},
		{"P4", "a posting out of balance", func(_ *testing.T, w *world) {
			w.postings[0].Payload.Lines = slices.Clone(w.postings[0].Payload.Lines)
			w.postings[0].Payload.Lines[0].Amount++
		}, "differ by 1"},
		{"P5", "shares that do not add up", func(t *testing.T, w *world) {
			w.entries[0].Body = replaced(t, w.entries[0].Body, `"key":"high|1|RECEIPT|1","amount":1200`, `"key":"high|1|RECEIPT|1","amount":1201`)
		}, "its documents' shares are"},
		{"P5", "a document in no version", func(_ *testing.T, w *world) {
			f := w.facts[postingtest.Ref]
			f.Documents = append(slices.Clone(f.Documents), day.Stored{Document: postingtest.Sale("9", 100), Key: "high|1|RECEIPT|9", Revision: 1})
			w.facts[postingtest.Ref] = f
		}, "revision 1 of document high|1|RECEIPT|9 is in neither"},
		{"P5", "an old revision", func(_ *testing.T, w *world) {
			f := w.facts[postingtest.Ref]
			f.Documents = slices.Clone(f.Documents)
			f.Documents[0].Revision = 2
			w.facts[postingtest.Ref] = f
		}, "the entry has revision 1"},
		{"P5", "a document too many", func(_ *testing.T, w *world) {
			f := w.facts[postingtest.Ref]
			f.Documents = f.Documents[1:]
			w.facts[postingtest.Ref] = f
		}, "is in it, but not of its day"},
		{"P5", "a document of a day that is not kept", func(_ *testing.T, w *world) { w.documents[0].Day = "2026-11-09" }, "a day that is not kept"},
		{"P5", "a posting is not there", func(_ *testing.T, w *world) { w.postings = w.postings[:1] }, "entry 4 has"},
		{"P5", "no posting is there", func(_ *testing.T, w *world) { w.postings = nil }, "is posted with 0"},
		{"P5", "a posting counted twice", func(_ *testing.T, w *world) {
			p := w.postings[1]
			p.Revision, p.Reference = 3, "POS-HIGH-20261103-r3"
			w.postings = append(w.postings, p)
		}, "entry 4 has"},
		{"P5", "a day that a person took off and that stands", func(_ *testing.T, w *world) { w.withdrawn = []day.Ref{postingtest.Ref} }, "a person took the day off, and"},
		{"P6", "a hole in the revisions", func(_ *testing.T, w *world) { w.postings[1].Revision = 3 }, "revision 3 is not the next, 2"},
		{"P6", "a later posting beside an unsettled one", func(_ *testing.T, w *world) { w.postings[0].State = posting.Unknown }, "it is unknown, and a later one was made"},
		{"P6", "a reference twice", func(_ *testing.T, w *world) { w.postings[1].Reference = w.postings[0].Reference }, "is also that of a posting"},
		{"P6", "another payload than intended", func(_ *testing.T, w *world) { w.postings[1].Payload.Narration += "x" }, "not the one that was intended"},
		{"P7", "an edit in the books", func(_ *testing.T, w *world) {
			w.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Lines[0].Amount++; p.Lines[1].Amount-- })
		}, "the books have"},
		{"P7", "moved in the books", func(_ *testing.T, w *world) {
			w.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Date = "2026-11-04" })
		}, "the books have it on 2026-11-04"},
		{"P7", "deleted in the books", func(_ *testing.T, w *world) {
			w.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Reference = "X" })
		}, "do not hold it any more"},
		{"P7", "a posting nobody made", func(_ *testing.T, w *world) {
			w.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Reference = "POS-HIGH-20261103-r7" })
		}, "hold POS-HIGH-20261103-r7, which was never posted"},
		{"P8", "a change without a reason", func(_ *testing.T, w *world) { w.entries[1].Reason = "" }, `entry 4 has the reason ""`},
		{"P8", "closed twice", func(_ *testing.T, w *world) { w.entries[1].Reason = "close" }, `entry 4 has the reason "close"`},
		{"P8", "an entry that is not the newest", func(_ *testing.T, w *world) { w.days[0].Entry = 2 }, "the day names entry 2, the newest is 4"},
		{"P8", "ready without an entry", func(_ *testing.T, w *world) {
			w.days = append(w.days, day.StoreDay{Ref: day.Ref{Merchant: "m", Store: "high", Day: "2026-11-01"}, State: day.Ready, Version: 1})
		}, "ready without an entry"},
		{"P8", "an act taken out of the log", func(_ *testing.T, w *world) { w.acts = w.acts[1:] }, "act 1 is missing"},
		{"P8", "an act that was changed", func(_ *testing.T, w *world) { w.acts[0].By = "ben" }, "act 1 was changed"},
		{"P8", "acts in each other's place", func(_ *testing.T, w *world) { slices.Reverse(w.acts) }, "act 1 comes after act 2"},
		{"P9", "a hole below the watermark", func(_ *testing.T, w *world) { w.runs = w.runs[1:] }, "neither stored nor declared lost"},
		{"P9", "numbers stored twice", func(_ *testing.T, w *world) { w.runs[1].First = 2 }, "stored twice"},
		{"P9", "a broken chain", func(_ *testing.T, w *world) { w.runs[1].Before = make([]byte, 32) }, "the chained digest before number 3"},
		{"P9", "another digest at the watermark", func(_ *testing.T, w *world) { w.epochs[0].Digest = make([]byte, 32) }, "the digest at the watermark"},
		{"P9", "a document outside of every batch", func(_ *testing.T, w *world) { w.documents[0].Number = 99 }, "number 99 of epoch 1"},
		{"P9", "a batch of no epoch", func(_ *testing.T, w *world) { w.runs[0].Epoch = 7 }, "never issued"},
		{"P10", "an agent of nobody", func(_ *testing.T, w *world) { w.documents[0].Agent = "stranger" }, "agent stranger is not one of the merchant's"},
		{"P10", "an agent of another store", func(_ *testing.T, w *world) { w.agents[0].Store = "low" }, "speaks for store low"},
		{"P10", "another merchant's document", func(_ *testing.T, w *world) { w.documents[0].Merchant = "n" }, "read as one of merchant m"},
		{"P10", "another merchant's entry", func(t *testing.T, w *world) {
			w.entries[0].Body = replaced(t, w.entries[0].Body, `"merchant":"m"`, `"merchant":"n"`)
		}, "made for merchant n"},
		{"P10", "another merchant's posting", func(_ *testing.T, w *world) { w.postings[0].Payload.Key = "n/" + w.postings[0].Payload.Key }, "its payload is of n/"},
		{"P11", "another entry than its documents give", func(t *testing.T, w *world) {
			w.entries[1].Body = replaced(t, w.entries[1].Body, `"rule":"`, `"rule":"Invented. `)
		}, "it is another"},
		{"P11", "rules of another version", func(t *testing.T, w *world) {
			w.entries[1].Rules = 99
			w.entries[1].Body = replaced(t, w.entries[1].Body, fmt.Sprintf(`"rules":%d`, books.Rules), `"rules":99`)
		}, "not replayable: rules 99"},
		{"P11", "a mapping that is gone", func(_ *testing.T, w *world) { delete(w.mappings, 1) }, "not replayable: mapping 1"},
		{"P12", "a day in nobody's hands", func(_ *testing.T, w *world) {
			w.days = append(w.days, day.StoreDay{Ref: day.Ref{Merchant: "m", Store: "high", Day: "2026-11-01"}, State: day.Closing, Version: 1})
		}, "nothing holds it"},
		{"P12", "an entry that nobody posts", func(_ *testing.T, w *world) {
			e := w.entries[1]
			e.At = e.At.Add(-48 * time.Hour)
			w.due = append(w.due, posting.Due{Ref: e.Ref, Target: "books", Entry: e, Postings: w.postings})
		}, "is not posted since"},
	} {
		t.Run(test.promise+" "+test.name, func(t *testing.T) {
			w := load(base)
			books := &postingtest.Books{Unique: true}
			for _, p := range w.books.Booked() {
				if _, err := books.Post(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			w.books = books
			wantClean(t, verify(t, w, books))
			test.plant(t, w)
			report := verify(t, w, books)
			if report.Counts()[test.promise] == 0 {
				t.Fatalf("%s did not rise: %+v", test.promise, report.Counts())
			}
			said := false
			for _, result := range report.Results {
				for _, v := range result.Violations {
					said = said || v.Promise == test.promise && strings.Contains(v.Text, test.says)
					if v.Where == "" {
						t.Errorf("%+v does not say where", v)
					}
				}
			}
			if !said {
				t.Errorf("nothing says %q: %+v", test.says, report.Results)
			}
		})
	}
}

func TestADeclaredGapAndAConflictThatHoldsAreStates(t *testing.T) {
	t.Parallel()
	s := healthy(t)
	_, err := s.db.DeclareGap(t.Context(), s.id, s.epoch, intake.Range{First: s.sent + 1, Last: s.sent + 3}, [32]byte{7}, "disk damaged", s.now)
	must(t, err)
	report := s.verify()
	wantClean(t, report)
	if report.Results[8].States != 1 {
		t.Errorf("gaps: %+v", report.Results[8])
	}
}

// flickering breaks a promise in its first reading only, as when something is
// changed while it is read.
type flickering struct {
	*world
	readings int
}

func (f *flickering) EachPosting(ctx context.Context, m string, visit func(posting.Posting) error) error {
	if f.readings++; f.readings == 1 {
		return each(f.postings[:1], visit)
	}
	return f.world.EachPosting(ctx, m, visit)
}

func TestWhatASecondReadingDoesNotFindIsNoViolation(t *testing.T) {
	t.Parallel()
	w := load(healthy(t))
	f := &flickering{world: w}
	wantClean(t, verify(t, f, w.books))
	if f.readings != 2 {
		t.Errorf("read %d times", f.readings)
	}
}

func TestBooksThatCannotBeReachedAreNamedAndNotCounted(t *testing.T) {
	t.Parallel()
	w := load(healthy(t))
	report, err := audit.Verify(t.Context(), audit.Options{
		Source: w, Now: postingtest.Morning,
		Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return nil, target.ErrUnavailable },
	})
	must(t, err)
	if p7 := report.Results[6]; !report.OK() || len(p7.Skipped) != 1 || !strings.Contains(p7.Skipped[0], "connection books of merchant m") {
		t.Errorf("%+v", p7)
	}
}
