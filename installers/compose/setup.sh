#!/bin/sh
# Makes what the composition must not have in common with any other: the agents'
# certificate authority, the broker's certificates, and passwords.
#
#   installers/compose/setup.sh [COLLECTOR] [FOLDER] [BROKER-NAME...]
#
# COLLECTOR is the program (bin/tillbook-collector), FOLDER a new folder
# (installers/compose/secrets), BROKER-NAME what agents call the broker, beside
# mosquitto and localhost. Needs openssl. It never touches a folder that is there.
#
# Files in the folder can be read by anybody, since programs in containers run
# under other users; the folder itself by its owner alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
collector=${1:-$here/../../bin/tillbook-collector}
folder=${2:-$here/secrets}
for _ in 1 2; do [ $# -eq 0 ] || shift; done
[ -x "$collector" ] || { echo "$collector is no program; make build makes it" >&2; exit 1; }
[ ! -e "$folder" ] || { echo "$folder is there already; nothing was changed" >&2; exit 1; }
new=$(mktemp -d "$(dirname "$folder")/.secrets-XXXXXX")
trap 'rm -rf "$new"' EXIT

mkdir "$new/data"
"$collector" --data "$new/data" migrate >&2
"$collector" --data "$new/data" authority list >&2
mv "$new/data/authority.key" "$new/data/authority.pem" "$new/"
rm -rf "$new/data"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
# signed NAME COMMON-NAME EXTENSIONS: NAME.key and NAME.pem, signed by the broker's authority
signed() {
	key "$new/$1.key"
	openssl req -new -key "$new/$1.key" -subj "/CN=$2" -out "$new/$1.csr"
	printf '%s\n' "$3" >"$new/$1.ext"
	openssl x509 -req -in "$new/$1.csr" -CA "$new/broker-ca.pem" -CAkey "$new/broker-ca.key" -CAcreateserial \
		-days 825 -extfile "$new/$1.ext" -out "$new/$1.pem" 2>/dev/null
	rm "$new/$1.csr" "$new/$1.ext"
}
key "$new/broker-ca.key"
openssl req -x509 -new -key "$new/broker-ca.key" -subj "/CN=Tillbook broker" -days 3650 -out "$new/broker-ca.pem"
names=DNS:mosquitto,DNS:localhost,IP:127.0.0.1
for name in "$@"; do names=$names,DNS:$name; done
signed broker mosquitto "subjectAltName=$names
extendedKeyUsage=serverAuth"
signed broker-client tillbook-collector "extendedKeyUsage=clientAuth"
rm -f "$new/broker-ca.srl"
cat "$new/authority.pem" "$new/broker-ca.pem" >"$new/agents-and-collectors.pem"

for name in postgres-admin postgres-tillbook grafana-admin; do
	openssl rand -hex 24 | tr -d '\n' >"$new/$name"
done
printf '*:*:tillbook:tillbook:%s\n' "$(cat "$new/postgres-tillbook")" >"$new/pgpass"

chmod 644 "$new"/*
chmod 600 "$new/broker-ca.key"
chmod 700 "$new"
mv "$new" "$folder"
echo "secrets are in $folder" >&2
