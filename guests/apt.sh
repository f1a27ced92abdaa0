# Sourced by the scripts of this folder. A package manager state of our own: the machine's own package sources with their
# source packages and other architectures switched on, without touching the machine's configuration or needing root.

# private_apt DIRECTORY ARCHITECTURE...: makes (or refreshes) the state in DIRECTORY; from then on apt-get and apt-cache use it.
# Returns non-zero when the package lists cannot be had.
private_apt() {
  state=$1
  shift
  mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial" || return
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && sed 's/^Types:.*/Types: deb deb-src/' "$file" >"$state/sources/${file##*/}"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -n 's/^deb \(.*\)/deb \1\ndeb-src \1/p' "$file" >"$state/sources/${file##*/}"
  done
  {
    printf 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "%s/sources";\n' "$state"
    printf 'Dir::State::Lists "%s/lists";\nDir::Cache "%s/cache";\n' "$state" "$state"
    printf 'APT::Sandbox::User "root";\nAPT::Update::Error-Mode "any";\n'
    printf 'APT::Architectures {'
    for architecture in $(dpkg --print-architecture) "$@"; do printf ' "%s";' "$architecture"; done
    printf ' };\n'
  } >"$state/apt.conf"
  export APT_CONFIG="$state/apt.conf"
  apt-get -qq update
}
