// Package outbox is the durable buffer of the agent: what Append took is kept
// until the collector has it safe, through any crash, power cut or full disk.
//
// A commit log (package commitlog) in front is the truth: Append returns when
// the group is on stable storage there, all of it or none. Behind it Badger
// (package index) holds the same records for reading and searching; it follows
// by itself, may be lost at any time, and is then built again from the log
// while sales go on. One goroutine writes: it takes everything that waits,
// writes it once, syncs once and answers all.
//
// It guarantees: no acknowledged record is lost but by damage to the disk, and
// then its number is in Gaps; numbers rise by one and are never given twice; an
// idempotency key that comes again with the same content makes no new record;
// the state (epoch, acknowledgement marks, file marks) survives as records do.
// On a disk that is nearly full (the soft mark) only sales go on: the index waits
// and copies set aside go. On a full one (the hard mark) new records are refused
// with ErrFull, which passes; reading, releasing and changes of state go on.
//
// It does not know what a document means, does not send anything, and does not
// decide what is safe to release.
//
// The disk format is docs/log-format.md. Crashes are tested in
// commitlog/model_test.go and crash_test.go here.
package outbox
