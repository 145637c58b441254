#!/usr/bin/env bash
# Fails if a package that the solution uses, directly or not, has a known vulnerability. Needs a restored solution. Where no configured feed has vulnerability data, or none can
# be reached, it says so in one line and passes: that is no fault of the change that is tested. Arguments: the solution or projects; default the solution.
set -uo pipefail
[ "$#" -gt 0 ] || { cd "$(dirname "${BASH_SOURCE[0]}")/.." && set -- MqttDeviceCluster.sln; }
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en

report=$(mktemp) errors=$(mktemp)
trap 'rm -f "$report" "$errors"' EXIT

# A feed without vulnerability data is reported exactly as one with data and no findings: its index has to be asked.
has_data() {
  local source
  for source in $(sed -n '/"sources": \[/,/\]/s/.*"\(http[^"]*\)".*/\1/p' "$report"); do
    curl -sSfL --max-time 30 "$source" 2> "$errors" | grep -q '"VulnerabilityInfo/' && return 0
  done
  return 1
}

status=0
for project; do
  # It ends with 0 whether it finds something or not.
  dotnet list "$project" package --vulnerable --include-transitive --format json > "$report" 2> "$errors"
  if grep -q '"vulnerabilities"' "$report"; then
    echo "Audit: $project uses packages with known vulnerabilities:" >&2
    awk -F'"' '
      $2 == "id" { id = $4 }
      $2 == "resolvedVersion" { version = $4 }
      $2 == "severity" { severity = $4 }
      $2 == "advisoryurl" { print "  " id " " version ", " severity ": " $4 }' "$report" | sort -u >&2
    status=1
  elif ! grep -q '"projects"' "$report" || grep -q '"problems"' "$report"; then
    why=$(cat "$report" "$errors" | sed -n 's/.*"text": "\(.*\)".*/\1/p; s/^error: *//p' | head -n 1)
    echo "Audit: not done for $project: ${why:-dotnet list package gave no report}" | cut -c1-300
  elif ! has_data; then
    why=$(head -n 1 "$errors")
    echo "Audit: not done for $project: ${why:-the configured feed has no vulnerability data}." | cut -c1-300
  else
    echo "Audit: no known vulnerabilities in the packages of $project."
  fi
done
exit "$status"
