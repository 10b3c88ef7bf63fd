// Package compat keeps what each release wrote and sent, and reads all of it
// with the program as it is now: a log on disk, one session of an agent, what the
// collector answered, and an enrolment. It promises that a change that cannot
// read a release any more turns a test red.
//
// A release adds a folder below testdata with `make corpus RELEASE=v1.2.3`, and
// nothing there is ever written anew. Folders may go when the release they are of
// is no longer one of the last three. It must not be imported by a program.
package compat
