#!/usr/bin/env bash
# Builds an image with the .NET SDK, as an archive or straight into a registry. Without network: on a base that is made here, from this machine's own Debian packages and
# its .NET runtime.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'EOF'
Usage: infra/image.sh [--project silo|mdc|caller] [--arch x64|arm64|x64,arm64] [--archive FILE] [--registry HOST[:PORT]] [--offline] [-- PROPERTY...]

  --project NAME      the silo (default), the command line mdc, or the example of a calling service in infra/k8s/examples/caller
  --arch ARCH         x64, arm64 (default: as this machine), or x64,arm64: both behind one name (an image index), with --registry alone. The silo is compiled ahead of time (ReadyToRun) for either, on this machine, with packages of
                      the feed: Microsoft.NETCore.App.Crossgen2, .Runtime and Microsoft.AspNetCore.App.Runtime. Where it lacks them: -- -p:PublishReadyToRun=false, and a slower start
  --archive FILE      write an archive; default artifacts/REPOSITORY.tar: mqtt-device-cluster, mdc or caller. It is in the format of the base: Docker's for Microsoft's (`docker load`; skopeo: docker-archive:), an OCI layout with --offline
                      (skopeo: oci-archive:, and not docker-archive:; `docker load` reads it from Docker 25 on). Neither `docker load` nor Microsoft's base was run here
  --registry HOST     push there instead; a path of the registry is part of the repository: -- -p:ContainerRepository=ORG/mqtt-device-cluster (log in with `docker login` or the variables DOTNET_CONTAINER_REGISTRY_UNAME, _PWORD)
  --offline           take the base from this machine and not from Microsoft's registry, for x64 alone. Needs the Debian packages docker-registry, umoci and skopeo
  -- PROPERTY...      more for the build. -p:Version=1.2.3 is the version of a build of your own: of its assemblies, of what --version says, of telemetry's service.version, and the image's tag (-p:ContainerImageTag=… for another tag)
EOF
}

project=silo archive= registry= offline=
case "$(uname -m)" in aarch64|arm64) arch=arm64 ;; *) arch=x64 ;; esac
while [ $# -gt 0 ]; do
  case "$1" in
    --project) project=$2; shift 2 ;;
    --arch) arch=$2; shift 2 ;;
    --archive) archive=$2; shift 2 ;;
    --registry) registry=$2; shift 2 ;;
    --offline) offline=1; shift ;;
    --help) usage; exit 0 ;;
    --) shift; break ;;
    *) usage >&2; exit 2 ;;
  esac
done

case "$project" in
  silo) path=src/MqttDeviceCluster.Silo name=mqtt-device-cluster ;;
  mdc) path=src/MqttDeviceCluster.Cli name=mdc ;;
  caller) path=infra/k8s/examples/caller name=caller ;;
  *) usage >&2; exit 2 ;;
esac
archive=${archive:-artifacts/$name.tar}

case "$arch" in
  x64|arm64) rids=(-r "linux-$arch") ;;
  x64,arm64) rids=('-p:ContainerRuntimeIdentifiers="linux-x64;linux-arm64"' '-p:RuntimeIdentifiers="linux-x64;linux-arm64"') ;;
  *) usage >&2; exit 2 ;;
esac
if [ "$arch" = x64,arm64 ] && [ -z "$registry" ]; then
  echo "infra/image.sh: an image for both architectures goes into a registry: name one with --registry" >&2
  exit 2
fi
if [ -n "$offline" ] && [ "$arch" != x64 ]; then
  echo "infra/image.sh: --offline makes its base from this machine's own packages, for x64 alone; for $arch leave it out, or name a base: -- -p:ContainerBaseImage=HOST/NAME:TAG" >&2
  exit 2
fi

work=$(mktemp -d)
registry_process=
cleanup() {
  [ -z "$registry_process" ] || kill "$registry_process" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

properties=()
if [ -n "$registry" ]; then
  properties+=("-p:ContainerRegistry=$registry")
else
  mkdir -p "$(dirname "$archive")"
  properties+=("-p:ContainerArchiveOutputPath=$(cd "$(dirname "$archive")" && pwd)/$(basename "$archive")")
fi

# What the runtime needs of a system, and no more: as in Microsoft's chiselled images there is no shell.
make_base() {
  local root="$work/bundle/rootfs" package file dotnet
  umoci init --layout "$work/base"
  umoci new --image "$work/base:latest"
  umoci unpack --rootless --image "$work/base:latest" "$work/bundle" >/dev/null
  mkdir -p "$root"/usr/{bin,lib,lib64}
  ln -s usr/lib usr/lib64 "$root/"
  for package in libc6 libgcc-s1 libstdc++6 libssl3 zlib1g ca-certificates; do
    dpkg-query -L "$package" | grep -vE '^/usr/share/(doc|man|lintian|locale)|^/usr/sbin|^/\.$' | while read -r file; do
      if [ -d "$file" ]; then mkdir -p "$root$file"; else mkdir -p "$root$(dirname "$file")" && cp -a "$file" "$root$file"; fi
    done
  done
  mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/app"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0::/root:/sbin/nologin\napp:x:1654:1654::/home/app:/sbin/nologin\n' > "$root/etc/passwd"
  printf 'root:x:0:\napp:x:1654:\n' > "$root/etc/group"
  dotnet=$(dirname "$(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App 10\.[^[]*\[\(.*\)\/shared\/.*\]$/\1/p' | tail -n 1)/x")
  mkdir -p "$root/usr/share/dotnet/shared" "$root/usr/bin"
  cp -a "$dotnet/dotnet" "$dotnet/host" "$root/usr/share/dotnet/"
  cp -a "$dotnet/shared/Microsoft.NETCore.App" "$dotnet/shared/Microsoft.AspNetCore.App" "$root/usr/share/dotnet/shared/"
  ln -s ../share/dotnet/dotnet "$root/usr/bin/dotnet"
  umoci repack --image "$work/base:latest" "$work/bundle" >/dev/null
  umoci config --image "$work/base:latest" --config.env PATH=/usr/bin:/bin --config.env DOTNET_ROOT=/usr/share/dotnet --config.user 1654
}

if [ -n "$offline" ]; then
  make_base
  port=$((15000 + RANDOM % 10000))
  cat > "$work/registry.yml" <<EOF
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
EOF
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry_process=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$registry_process" || { cat "$work/registry.log" >&2; exit 1; }
    sleep 0.1
  done
  skopeo copy --quiet --dest-tls-verify=false "oci:$work/base:latest" "docker://127.0.0.1:$port/base:latest"
  export DOTNET_CONTAINER_INSECURE_REGISTRIES="127.0.0.1:$port"
  properties+=("-p:ContainerBaseImage=127.0.0.1:$port/base:latest")
fi

dotnet publish "$path" -c Release "${rids[@]}" --no-self-contained --nologo -v quiet -t:PublishContainer "${properties[@]}" "$@"
[ -n "$registry" ] || ls -l "$archive"
