#!/bin/bash
# A script as people have them around linuxptp: two grandmasters and a client, watched and changed by pmc.
# It knows ptp4l, pmc, phc2sys and phc_ctl by name only, and takes whichever PATH gives it.
#   $FIRST $SECOND $CLIENT: what runs a command at each place;  $1: a folder for sockets and logs
set -eu
cd "$1"

cat > common.conf <<EOF
[global]
time_stamping          software
network_transport      UDPv4
logAnnounceInterval    -2
logSyncInterval        -3
logMinDelayReqInterval -3
tx_timestamp_timeout   500
pi_proportional_const  0.7
pi_integral_const      0.3
use_syslog             0
verbose                1
EOF

started=()
finish() { for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; }
trap finish EXIT
start() { local log=$1; shift; "$@" > "$log" 2>&1 & started+=($!); }

ask() { # ask PLACE SOCKET REQUEST FIELD: what pmc says of a field
  $1 pmc -u -b 0 -s "$PWD/$2" "$3" | awk -v field="$4" '$1 == field { print $2 }' | tail -n 1
}
await() { # await SECONDS WHAT COMMAND...: until the command succeeds
  local left=$(( $1 * 5 )) what=$2; shift 2
  until "$@"; do
    left=$(( left - 1 ))
    if [ "$left" -le 0 ]; then echo "FAILED: $what"; exit 1; fi
    sleep 0.2
  done
  echo "ok: $what"
}
is() { [ "$(ask "$1" "$2" "$3" "$4")" = "$5" ]; }
says() { grep -Eq -- "$2" "$1"; }
follows() { is "$CLIENT" client "GET PARENT_DATA_SET" grandmasterIdentity "$1"; }

start first.log  $FIRST  ptp4l -f common.conf -i eth0 --priority1=100 --uds_address="$PWD/first"
start second.log $SECOND ptp4l -f common.conf -i eth0 --priority1 110 --uds_address "$PWD/second"
start client.log $CLIENT ptp4l -f common.conf -i eth0 -s --uds_address="$PWD/client"
start phc2sys.log $CLIENT phc2sys -s CLOCK_REALTIME -c CLOCK_REALTIME -w -z "$PWD/client" -m -q

await 10 "the client answers" is "$CLIENT" client "GET PORT_DATA_SET" versionNumber 2
await 15 "the client is SLAVE" is "$CLIENT" client "GET PORT_DATA_SET" portState SLAVE
one=$(ask "$FIRST" first "GET DEFAULT_DATA_SET" clockIdentity)
two=$(ask "$SECOND" second "GET DEFAULT_DATA_SET" clockIdentity)
await 5 "it follows the first" follows "$one"
await 5 "its log: state" says client.log '^ptp4l\[[0-9]+\.[0-9]{3}\]: port 1( \(eth0\))?: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED$'
await 5 "its log: master" says client.log "^ptp4l\[[0-9]+\.[0-9]{3}\]: selected best master clock $one$"
await 5 "its log: statistics" says client.log \
  '^ptp4l\[[0-9.]+\]: rms +[0-9]+ max +[0-9]+ freq +[-+][0-9]+ \+/- +[0-9]+ delay +[0-9]+ \+/- +[0-9]+$'

offset=$(ask "$CLIENT" client "GET CURRENT_DATA_SET" offsetFromMaster)
echo "offset $offset"
awk -v offset="$offset" 'BEGIN { exit !(offset != "" && offset > -10000000 && offset < 10000000) }'

$SECOND pmc -u -b 0 -s "$PWD/second" "SET PRIORITY1 90" > set.log
await 5 "priority1 is set" is "$SECOND" second "GET PRIORITY1" priority1 90
await 10 "the client has changed over" follows "$two"
await 15 "and is SLAVE again" is "$CLIENT" client "GET PORT_DATA_SET" portState SLAVE
await 5 "the first serves no more" is "$FIRST" first "GET PORT_DATA_SET" portState SLAVE

kill "${started[1]}"
await 10 "the second is gone: the client is back with the first" follows "$one"
await 15 "as its SLAVE" is "$CLIENT" client "GET PORT_DATA_SET" portState SLAVE
await 5 "the first is grandmaster again" is "$FIRST" first "GET PORT_DATA_SET" portState MASTER

says phc2sys.log '^phc2sys\[[0-9.]+\]: Waiting for ptp4l\.\.\.$' || { echo "FAILED: phc2sys did not wait"; exit 1; }
kill -0 "${started[3]}" || { echo "FAILED: phc2sys is gone"; exit 1; }
$CLIENT phc_ctl -q CLOCK_REALTIME get | grep -Eq 'clock time is [0-9]+\.[0-9]{9} or '
echo "done"
