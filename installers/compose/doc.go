// Package compose is the composition of everything on one machine: containers of
// two collectors, their database and broker, and what watches them. It holds no
// code; its tests show that the files fit together and that each program that
// reads one accepts it, and run the same settings without containers (local.sh). No
// container is started.
package compose
