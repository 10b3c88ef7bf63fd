package outbox

import "time"

// Stats are figures of an open outbox. Counts are since Open, bytes are bytes.
type Stats struct {
	First uint64 `json:"first"` // lowest number kept
	Next  uint64 `json:"next"`  // number the next record gets

	Segments     int   `json:"segments"`
	LogBytes     int64 `json:"log_bytes"`
	StateBytes   int64 `json:"state_bytes"`
	IndexBytes   int64 `json:"index_bytes"`
	BallastBytes int64 `json:"ballast_bytes"`
	MaxBytes     int64 `json:"max_bytes"`
	FreeBytes    int64 `json:"free_bytes"` // of the disk; -1: not known

	Soft bool `json:"soft"` // the disk is below the soft mark
	Hard bool `json:"hard"` // the disk is below the hard mark: records are refused

	Applied      uint64 `json:"applied"`       // last record in the index
	IndexOpen    bool   `json:"index_open"`    // false: reading is served by the log
	IndexRebuilt int    `json:"index_rebuilt"` // times it was set aside and built again
	IndexFailure string `json:"index_failure"` // why it is not open

	Appends    uint64        `json:"appends"`
	Records    uint64        `json:"records"`
	Duplicates uint64        `json:"duplicates"`
	Refused    uint64        `json:"refused"` // appends refused: no room
	Commits    uint64        `json:"commits"`
	LastCommit time.Duration `json:"last_commit"` // write and sync of the last one

	TailDiscarded int64 `json:"tail_discarded"` // bytes after the last whole frame, set aside at Open
	Damaged       int   `json:"damaged"`        // places in the log that are not what was written
	Lost          int   `json:"lost"`           // records in Gaps
	Salvaged      int   `json:"salvaged"`       // records the log had lost and the index had
	Poisoned      int   `json:"poisoned"`       // segments given up after a failed write or sync
}

// Stats returns the present figures.
func (b *Outbox) Stats() Stats {
	l := b.log.Stats()
	s := Stats{
		First: b.First(), Next: b.Next(),
		Segments: l.Segments, LogBytes: l.Bytes, StateBytes: l.State, IndexBytes: b.copies.bytes(), MaxBytes: b.o.MaxBytes, FreeBytes: -1,
		Appends: b.count.appends.Load(), Records: b.count.records.Load(), Duplicates: b.count.duplicates.Load(),
		Refused: b.count.refused.Load(), Commits: b.count.commits.Load(), LastCommit: time.Duration(b.count.syncNanos.Load()),
		TailDiscarded: l.Tail, Damaged: len(l.Damage), Poisoned: l.Poisoned,
	}
	for _, g := range b.Gaps() {
		s.Lost += int(g.Last - g.First + 1)
	}
	b.room.mu.Lock()
	s.Soft, s.Hard = b.room.soft, b.room.hard
	if b.room.known {
		s.FreeBytes = int64(b.room.free)
	}
	if b.room.ballast {
		s.BallastBytes = b.o.Ballast
	}
	b.room.mu.Unlock()
	b.copies.mu.RLock()
	s.Applied, s.IndexOpen, s.IndexRebuilt, s.Salvaged = b.copies.applied, b.copies.index != nil, b.copies.rebuilt, b.copies.salvaged
	if b.copies.failure != nil {
		s.IndexFailure = b.copies.failure.Error()
	}
	b.copies.mu.RUnlock()
	return s
}
