#!/bin/bash
# In the place of a program that a run calls: runs it, and then kills the run, once for each thing that it is told to do.
program=${0##*/}
"$(PATH=/usr/sbin:/usr/bin:/sbin:/bin type -P "$program")" "$@"
code=$?
case $1 in
  is-active | is-enabled | list | show | verify | version | --version) exit $code ;;
esac
step="$program $1 ${!#}"
if [[ -e /run/kills && $(</proc/$PPID/comm) == python* ]] && ! grep --quiet --line-regexp --fixed-strings "$step" /run/kills; then
  echo "$step" >>/run/kills
  kill -KILL $PPID
fi
exit $code
