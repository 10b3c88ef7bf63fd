package diagnose

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of the log.
const (
	keptLines = 500
	keptLine  = 1 << 10 // bytes
)

// Log is a handler that passes records on and keeps the last of them in memory,
// masked by type: numbers, times and yes or no as they are, every text through
// MaskError. So the log can be looked at where nobody keeps a file of it.
type Log struct {
	next   slog.Handler
	kept   *kept
	before string // attributes that stand in front
	group  string
}

// kept is the ring.
type kept struct {
	mu    sync.Mutex
	lines [keptLines]string
	n     int // written since the start
}

// NewLog returns a handler over next.
func NewLog(next slog.Handler) *Log { return &Log{next: next, kept: &kept{}} }

// Enabled implements slog.Handler.
func (l *Log) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || l.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.UTC().Format(time.RFC3339) + " " + r.Level.String() + " " + Mask(r.Message) + l.before)
	r.Attrs(func(a slog.Attr) bool {
		l.write(&b, l.group, a)
		return b.Len() < keptLine
	})
	line := strings.ReplaceAll(b.String(), "\n", " ")
	l.kept.add(line[:min(len(line), keptLine)])
	if !l.next.Enabled(ctx, r.Level) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		l.write(&b, l.group, a)
	}
	more := *l
	more.next, more.before = l.next.WithAttrs(attrs), l.before+b.String()
	return &more
}

// WithGroup implements slog.Handler.
func (l *Log) WithGroup(name string) slog.Handler {
	more := *l
	more.next, more.group = l.next.WithGroup(name), l.group+name+"."
	return &more
}

// Lines returns what is kept, the oldest first.
func (l *Log) Lines() []string {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	lines := make([]string, 0, keptLines)
	for i := max(0, l.kept.n-keptLines); i < l.kept.n; i++ {
		lines = append(lines, l.kept.lines[i%keptLines])
	}
	return lines
}

func (k *kept) add(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines[k.n%keptLines] = line
	k.n++
}

func (l *Log) write(b *strings.Builder, group string, a slog.Attr) {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		for _, inner := range value.Group() {
			l.write(b, group+a.Key+".", inner)
		}
		return
	case slog.KindBool, slog.KindDuration, slog.KindInt64, slog.KindUint64:
		b.WriteString(" " + group + a.Key + "=" + value.String())
	case slog.KindTime:
		b.WriteString(" " + group + a.Key + "=" + value.Time().UTC().Format(time.RFC3339))
	default: // texts, errors, and floats, which may be amounts
		b.WriteString(" " + group + a.Key + "=" + MaskError(value.String()))
	}
}
