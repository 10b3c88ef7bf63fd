package fleet

import "time"

// Ask is a request for a certificate that proved its right: by a join code, or
// by the key of the agent's certificate.
type Ask struct {
	By   Certificate // that it was asked with; zero at enrolment
	Next Certificate // that is to be given
	At   time.Time
}

// Recovery says whether the certificate that was asked with has expired.
func (a Ask) Recovery() bool { return a.By.Key != [32]byte{} && a.At.After(a.By.ExpiresAt) }

// Verdict is what becomes of a request for a certificate.
type Verdict string

// Verdicts. With Denied and CopyDenied none is given.
const (
	Granted    Verdict = "granted"
	Repeated   Verdict = "repeated"    // the same again: the answer did not arrive
	Recovered  Verdict = "recovered"   // after the certificate had expired
	CopyGiven  Verdict = "copy_given"  // by a certificate that another took the place of, which is still valid
	CopyDenied Verdict = "copy_denied" // by such a one that has expired
	Denied     Verdict = "denied"      // the agent is revoked
	Undecided  Verdict = "undecided"   // whether it is revoked is not known yet
)

// Judge says what becomes of a request and how the agent is known afterwards.
//
// An agent makes the next key before it asks and asks for that one until it is
// answered. So a certificate that asks for a second key after the first was
// given is a copy: of a disk, a machine, or a backup put back. While it is valid
// the copy can speak anyway and is given what it asks for, and shown; once it
// has expired nobody but the newest gets on. A certificate that is newer than
// the newest known here was given before the database was put back.
func Judge(agent Agent, ask Ask) (Agent, Verdict) {
	newest := agent.Newest
	first := newest.Key == [32]byte{}
	current := ask.By.Key == newest.Key || ask.By.IssuedAt.After(newest.IssuedAt)
	switch {
	case !agent.RevokedAt.IsZero():
		return agent, Denied
	case !agent.DoubtedAt.IsZero():
		return agent, Undecided
	case !first && ask.By.Key == agent.Before.Key && ask.Next.Key == newest.Key:
		agent.Newest = ask.Next
		return agent, Repeated
	case !first && !current:
		agent.CopiedAt = ask.At
		if ask.Recovery() {
			return agent, CopyDenied
		}
		agent.Newest, agent.Before = ask.Next, ask.By
		return agent, CopyGiven
	}
	agent.Newest, agent.Before = ask.Next, ask.By
	if ask.Recovery() {
		agent.Recoveries++
		agent.RecoveredAt = ask.At
		return agent, Recovered
	}
	return agent, Granted
}

// settled is how long after an agent got a certificate it surely has it: an
// agent whose answer was lost asks again within the hour.
const settled = 2 * time.Hour

// Rests says whether the agent can still only be reached, or come back by
// itself, through the authority with the given pin: its newest certificate is
// of that one, or it may not have received its newest yet. Agents that are
// revoked or that expired longer ago than may be recovered need a person anyway.
func (a Agent) Rests(pin string, recovery time.Duration, now time.Time) bool {
	switch {
	case !a.RevokedAt.IsZero(), !a.Newest.ExpiresAt.IsZero() && now.After(a.Newest.ExpiresAt.Add(recovery)):
		return false
	case a.Newest.Issuer == pin, a.Newest.Issuer == "":
		return true
	}
	return a.Before.Issuer == pin && a.SeenAt.Before(a.Newest.IssuedAt.Add(settled))
}
