#!/usr/bin/env bash
# The composition without containers: the same settings, with PostgreSQL and
# Mosquitto (and Prometheus and Alertmanager, where they are installed) from the
# system's packages, on free ports of loopback. `make compose-local` runs it.
#
#   installers/compose/local.sh [COLLECTOR]
#
# COLLECTOR is the program (bin/tillbook-collector). Ctrl-C ends everything and
# leaves nothing behind. ONCE=1 ends by itself after a check. Needs postgresql,
# mosquitto, openssl and curl.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
collector=$(realpath "${1:-$here/../../bin/tillbook-collector}")
PATH=$PATH:/usr/sbin

say() { echo "• $*"; }
fail() { echo "compose-local: $*" >&2; exit 1; }
for tool in mosquitto openssl curl; do command -v $tool >/dev/null || fail "$tool is missing; install the package of that name"; done
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$postgres" ] || fail "postgres is missing; install the package postgresql"

work=$(mktemp -d)
started=()
finish() {
	code=$?
	trap - EXIT INT TERM
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill -TERM "${started[i]}" 2>/dev/null || true; done
	for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
	if [ $code -ne 0 ] && [ $code -ne 130 ]; then tail -n 5 "$work"/*.log >&2 || true; fi
	rm -rf "$work"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# begin NAME COMMAND...: runs it in the background, in a group of its own, so that
# a Ctrl-C reaches this script alone and the last started is ended first.
begin() {
	local name=$1
	shift
	set -m
	"$@" >"$work/$name.log" 2>&1 &
	set +m
	started+=($!)
}
await() { # await WHAT COMMAND...: until it succeeds, at most half a minute
	local what=$1
	shift
	for _ in $(seq 150); do
		"$@" >/dev/null 2>&1 && return
		for pid in "${started[@]}"; do kill -0 "$pid" 2>/dev/null || fail "something ended while waiting for: $what"; done
		sleep 0.2
	done
	fail "waited in vain for: $what"
}
taken=" "
free() { # free NAME: a port that nothing listens on, into the variable NAME
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		case $taken in *" $port "*) continue ;; esac
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	taken="$taken$port "
	printf -v "$1" %s "$port"
}
for name in pg mqtt agents1 agents2 ops1 ops2 prom alert; do free $name; done
gives() { curl -sf --max-time 5 "$1" | grep -qF -- "$2"; }

say "secrets: the agents' authority, the broker's certificates, passwords"
secrets=$work/secrets
"$here/setup.sh" "$collector" "$secrets" 2>"$work/setup.log"

as=()
user=
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses root, and Mosquitto would become somebody who may not read its keys
	as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
	user="user root"
	chmod 711 "$work"
fi
mkdir "$work/postgres"
cp "$secrets/postgres-admin" "$work/postgres/password"
if [ -n "$user" ]; then chown -R postgres "$work/postgres"; fi
cd "$work/postgres"
"${as[@]}" "$postgres/initdb" -D "$work/postgres/data" -U postgres --encoding=UTF8 --locale=C.UTF-8 --no-sync \
	--auth-local=trust --auth-host=scram-sha-256 --pwfile="$work/postgres/password" >"$work/initdb.log" 2>&1
begin postgres "${as[@]}" "$postgres/postgres" -D "$work/postgres/data" -k "$work/postgres" -c listen_addresses=127.0.0.1 -p "$pg"
export PGHOST=$work/postgres PGPORT=$pg
await "PostgreSQL" "$postgres/pg_isready" -d postgres
PATH=$postgres:$PATH PASSWORD_FILE=$secrets/postgres-tillbook "$here/postgres.sh" >"$work/roles.log" 2>&1
unset PGHOST PGPORT
say "PostgreSQL at 127.0.0.1:$pg"

sed "s|^listener 8883\$|listener $mqtt 127.0.0.1|; s|/etc/mosquitto/acl|$here/mosquitto.acl|; s|/etc/mosquitto/|$secrets/|" "$here/mosquitto.conf" >"$work/mosquitto.conf"
echo "$user" >>"$work/mosquitto.conf"
begin mosquitto mosquitto -c "$work/mosquitto.conf"
say "Mosquitto at 127.0.0.1:$mqtt"

sed "s|@postgres/|@127.0.0.1:$pg/|; s|mosquitto:8883|localhost:$mqtt|; s|/etc/tillbook/broker-authority.pem|$secrets/broker-ca.pem|; s|/etc/tillbook/|$secrets/|" \
	"$here/collector.yaml" >"$work/collector.yaml"
export PGPASSFILE=$secrets/pgpass
for n in 1 2; do
	agents=agents$n ops=ops$n
	mkdir "$work/collector-$n"
	cp "$secrets/authority.key" "$secrets/authority.pem" "$work/collector-$n/"
	begin "collector-$n" "$collector" --data "$work/collector-$n" --config "$work/collector.yaml" \
		--set "agents.listen=127.0.0.1:${!agents}" --set "ops.listen=127.0.0.1:${!ops}" serve
	await "collector $n, its database and its broker" curl -sf "http://127.0.0.1:${!ops}/readyz"
	await "collector $n at its broker" gives "http://127.0.0.1:${!ops}/metrics" "tillbook_collector_mqtt_connected 1"
	say "collector $n: agents at 127.0.0.1:${!agents}, metrics at http://127.0.0.1:${!ops}/metrics"
done

watched=
if command -v prometheus >/dev/null && command -v prometheus-alertmanager >/dev/null; then
	sed "s|/etc/prometheus/alerts.yaml|$here/../../collector/monitoring/alerts.yaml|; s|collector-1:7420|127.0.0.1:$ops1|; s|collector-2:7420|127.0.0.1:$ops2|; s|alertmanager:9093|127.0.0.1:$alert|; s|15s|1s|g" \
		"$here/prometheus.yaml" >"$work/prometheus.yml"
	begin alertmanager prometheus-alertmanager --config.file "$here/alertmanager.yaml" --storage.path "$work/alertmanager" \
		--web.listen-address "127.0.0.1:$alert" --cluster.listen-address=
	begin prometheus prometheus --config.file "$work/prometheus.yml" --storage.tsdb.path "$work/tsdb" --web.listen-address "127.0.0.1:$prom"
	await "Alertmanager" curl -sf "http://127.0.0.1:$alert/-/ready"
	await "Prometheus to see both collectors" gives "http://127.0.0.1:$prom/api/v1/query?query=sum(tillbook_collector_mqtt_connected)" '"2"]'
	await "Prometheus to find Alertmanager" gives "http://127.0.0.1:$prom/api/v1/alertmanagers" "127.0.0.1:$alert"
	say "Prometheus at http://127.0.0.1:$prom, Alertmanager at http://127.0.0.1:$alert"
	watched=yes
else
	say "Prometheus and Alertmanager are not installed: nothing watches"
fi

if [ -n "${ONCE:-}" ]; then
	cat >"$work/merchant.yaml" <<-'YAML'
		merchants:
		  - {id: corner, name: Corner Shop, country: GB, currency: GBP, stores: [{id: S1, zone: Europe/London}]}
	YAML
	call() { "$collector" --data "$work/collector-$1" --config "$work/collector.yaml" "${@:2}"; }
	call 1 apply -f "$work/merchant.yaml" >"$work/apply.log" 2>&1 || fail "collector 1 does not take a merchant"
	call 2 export corner >"$work/export.log" 2>&1 || fail "collector 2 does not know the merchant of collector 1"
	pins=$(for n in 1 2; do call $n authority list --json | grep -o '"pin": *"[^"]*"'; done | sort -u | wc -l)
	[ "$pins" = 1 ] || fail "the collectors have $pins authorities, want one"
	if [ -n "$watched" ] && gives "http://127.0.0.1:$prom/api/v1/alerts" '"state":"firing"'; then fail "an alert fires"; fi
	say "all of it runs"
	exit 0
fi
say "data and logs are in $work; Ctrl-C ends all of it"
wait -n "${started[@]}" || true
fail "something ended by itself"
