#!/bin/sh
# Builds every package of a release: `make packages`.
#
#   installers/build.sh VERSION FOLDER
#
# Two runs over the same sources give the same bytes, signatures apart. Needs Go,
# the tools of `make packages`, and wixl and msibuild (msitools) for the MSI. Set, if you want them:
#   TILLBOOK_SIGN_PFX       certificate and key (PKCS#12) that sign .exe and .msi with osslsigncode
#   TILLBOOK_SIGN_PASSFILE  file with its password
#   TILLBOOK_SIGN_TIMESTAMP URL of a timestamp server
#   COSIGN_KEY              key that signs SHA256SUMS with cosign
#   TARGETS, PROGRAMS       to build only some, such as TARGETS=linux/amd64 PROGRAMS=tillbook-agent
set -eu
version=$1 dist=$2
cd "$(dirname "$0")/.."
tools=$PWD/.cache/tools
umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=0 GOFLAGS=-buildvcs=false
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# Packages want versions that begin with three numbers.
plain=${version#v}
case $plain in
[0-9]*.[0-9]*.[0-9]*) ;;
*) plain=0.0.0-$plain ;;
esac
numbers=$(printf %s "$plain" | sed -E 's/^([0-9]+\.[0-9]+\.[0-9]+).*/\1/')

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
rm -rf "$dist"
mkdir -p "$dist"
dist=$(cd "$dist" && pwd)

sign() { # sign FILE in place
	[ -n "${TILLBOOK_SIGN_PFX:-}" ] || return 0
	set -- "$1" -pkcs12 "$TILLBOOK_SIGN_PFX" -n "Tillbook Agent"
	[ -z "${TILLBOOK_SIGN_PASSFILE:-}" ] || set -- "$@" -readpass "$TILLBOOK_SIGN_PASSFILE"
	[ -z "${TILLBOOK_SIGN_TIMESTAMP:-}" ] || set -- "$@" -ts "$TILLBOOK_SIGN_TIMESTAMP"
	file=$1
	shift
	osslsigncode sign "$@" -in "$file" -out "$file.signed" >&2
	mv "$file.signed" "$file"
}

for target in ${TARGETS:-linux/amd64 linux/arm64 windows/amd64}; do
	os=${target%/*} arch=${target#*/} suffix=
	[ $os = windows ] && suffix=.exe
	bin=$stage/${os}_$arch
	mkdir -p "$bin"
	for program in ${PROGRAMS:-tillbook-agent tillbook-collector}; do
		GOOS=$os GOARCH=$arch go build -trimpath -tags grpcnotrace -ldflags "-s -w -buildid= -X tillbook.example/tillbook/shared/buildinfo.Version=$version" \
			-o "$bin/" "./${program#tillbook-}/cmd/$program"
		name=${program}_${plain}_${os}_$arch
		[ $os = linux ] || sign "$bin/$program$suffix"
		"$tools/cyclonedx-gomod" bin -json -noserial -notimestamp -version "$version" -output "$dist/$name.cdx.json" "$bin/$program$suffix" 2>"$stage/sbom.log" ||
			{ cat "$stage/sbom.log" >&2; exit 1; }
		kind=tar.gz
		[ $os = linux ] || kind=zip
		"$tools/archive" -o "$dist/$name.$kind" "$bin/$program$suffix" LICENSE README.md CHANGELOG.md docs/install.md
	done
	case $os in
	linux)
		for kind in deb rpm; do
			BIN=$bin ARCH=$arch PACKAGE_VERSION=$plain "$tools/nfpm" package -f installers/linux/nfpm.yaml -p $kind \
				-t "$dist/tillbook-agent_${plain}_$arch.$kind" >/dev/null
		done
		;;
	windows)
		# Windows tells products apart by this code: one for each version.
		product=$(printf 'tillbook-agent %s' "$plain" | sha256sum | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-5\3-8\4-\5/')
		cp installers/windows/agent.wxs "$bin/" # wixl looks for files beside it
		find "$bin" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
		(cd "$bin" && wixl -a x64 -D Version="$numbers" -D Product="$product" -o "$dist/tillbook-agent_${plain}_x64.msi" agent.wxs) \
			2>"$stage/wixl.log" || { cat "$stage/wixl.log" >&2; exit 1; }
		while read -r query; do
			msibuild "$dist/tillbook-agent_${plain}_x64.msi" -q "$query"
		done <installers/windows/finish.sql
		"$tools/msistamp" "$dist/tillbook-agent_${plain}_x64.msi" "$SOURCE_DATE_EPOCH" "$product"
		sign "$dist/tillbook-agent_${plain}_x64.msi"
		;;
	esac
done

install -m 755 installers/linux/install.sh "$dist/install.sh"
(cd "$dist" && sha256sum -- * >"$stage/SHA256SUMS" && mv "$stage/SHA256SUMS" SHA256SUMS)
if [ -n "${COSIGN_KEY:-}" ]; then
	cosign sign-blob --yes --tlog-upload=false --key "$COSIGN_KEY" --output-signature "$dist/SHA256SUMS.sig" "$dist/SHA256SUMS"
fi
ls -l "$dist"
