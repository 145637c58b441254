#!/usr/bin/env bash
# Installs what the tests need (Debian packages, when missing and run as root), builds everything with warnings as errors, and runs all
# tests. Ends with one line: "N passed, N failed, N skipped", counted from the test runs' own summaries. Arguments go to "dotnet test".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

install_missing() {
  local missing=()
  [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || missing+=(mosquitto)
  command -v mosquitto_sub >/dev/null || missing+=(mosquitto-clients)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  [ -x /usr/sbin/ip ] || missing+=(iproute2)
  [ -x /usr/sbin/runc ] || missing+=(runc)
  command -v docker-registry >/dev/null || missing+=(docker-registry)
  command -v umoci >/dev/null || missing+=(umoci)
  command -v skopeo >/dev/null || missing+=(skopeo)
  command -v docker-compose >/dev/null || missing+=(docker-compose)
  { command -v chromium && command -v chromedriver; } >/dev/null || missing+=(chromium chromium-driver)
  command -v promtool >/dev/null || missing+=(prometheus)
  [ "${#missing[@]}" -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed: ${missing[*]}. Tests that need them are skipped (and fail when CI is set)." >&2
    return 0
  fi

  # The packages would start system services: the tests start their own, on ports they pick.
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made_policy=1
  fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2
  local status=$?
  [ -n "$made_policy" ] && rm -f "$policy"
  [ "$status" -eq 0 ] || echo "Could not install: ${missing[*]}." >&2
}

install_missing

# Release: what is tested is what ships.
dotnet build MqttDeviceCluster.sln -c Release --nologo -v quiet -p:TreatWarningsAsErrors=true -p:UseSharedCompilation=true || exit 1

passed=0 failed=0 skipped=0 status=0
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for project in tests/MqttDeviceCluster.Tests tests/MqttDeviceCluster.IntegrationTests; do
  # "Child" are processes that a test starts and kills: no tests of their own.
  dotnet test --project "$project" -c Release --no-build --no-progress --no-ansi "$@" -- --filter-not-trait Category=Child > "$results" 2>&1 || status=1
  cat "$results"
  count() { sed -n "s/^  $1: \([0-9]*\)\$/\1/p" "$results" | tail -n 1; }
  succeeded_here=$(count succeeded) failed_here=$(count failed) skipped_here=$(count skipped)
  if [ -z "$succeeded_here" ]; then
    echo "$project: no summary, the run broke off" >&2
    status=1
    continue
  fi
  passed=$((passed + succeeded_here)) failed=$((failed + failed_here)) skipped=$((skipped + skipped_here))
done

[ "$failed" -eq 0 ] || status=1
[ "$((passed + failed))" -gt 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
