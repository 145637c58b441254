#!/usr/bin/env bash
# Strikes three silos, their broker and their store with faults under load, in an order that a seed decides, for as long as asked; prints what happened and a ledger of every
# update and command, and fails when a promise was broken.
#
#   bash infra/chaos.sh [--seconds 600] [--seed 1] [--store PostgreSql|Redis]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=600 seed=$RANDOM store=PostgreSql
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=${2:?seconds are missing} ;;
    --seed) seed=${2:?the seed is missing} ;;
    --store) store=${2:?the store is missing} ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

export MDC_CHAOS_SECONDS=$seconds MDC_CHAOS_SEED=$seed MDC_CHAOS_STORE=$store
project=tests/MqttDeviceCluster.IntegrationTests
dotnet build "$project" -c Release --nologo -v quiet
"$project"/bin/Release/net10.0/MqttDeviceCluster.IntegrationTests -noColor -noLogo -showLiveOutput -class MqttDeviceCluster.IntegrationTests.Faults.ChaosTests |
  sed -u 's/^.*\[OUTPUT\] //'
