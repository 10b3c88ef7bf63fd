// Package mqtt has the rules that a broker must enforce between agents and
// collectors, written for EMQX, HiveMQ and VerneMQ; Mosquitto's are in docs/mqtt.md.
// Its tests hold all of them to the topics of shared/wire. It holds no code.
//
// Only Mosquitto's have been run. The others follow their vendors' documentation,
// which each file names: try them before you rely on them (docs/mqtt.md says how).
package mqtt
