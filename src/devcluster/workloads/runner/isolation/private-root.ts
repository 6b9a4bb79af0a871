/** The script that builds a container's private root and then runs its command; it is process 1 of its PID namespace. */
import type { ContainerMount, ContainerPlan } from './isolation.ts'
import { shellQuote } from './shell-quote.ts'

export interface PrivateRootOptions {
  readonly plan: ContainerPlan
  /** Folder that becomes the root; exists, is empty. */
  readonly root: string
  /** Shown as /bin: links to the host's commands, and `vault`. */
  readonly binDir: string
  /** Host folders that are shown at their own place, besides /usr. */
  readonly shown: readonly string[]
  /** Whether the sources of mounts are folders (else files), by host path. */
  readonly folders: ReadonlySet<string>
}

// No step of it prints the environment, and the command's words come as arguments, so nothing of them is in a file.
export function privateRootScript(options: PrivateRootOptions): string {
  const { plan, root, binDir, shown } = options
  const mounts = [...plan.mounts].sort((a, b) => a.containerPath.length - b.containerPath.length)
  return `# Made for one container; read by /bin/sh in new mount and PID namespaces.
set -eu
ended=
trap 'ended=yes' TERM INT HUP
container_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=${shellQuote(root)}
fail() { echo "pod runner: $*" >&2; exit 125; }
readonly_tree() {
  mount -o remount,bind,ro "$1"
  while read -r _ _ _ _ point _; do
    case "$point" in "$1"/*) mount -o remount,bind,ro "$point" || : ;; esac
  done </proc/self/mountinfo
}
show() { mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; readonly_tree "$root$1"; }
mount -t tmpfs -o mode=0755 coffer-pod "$root"
cd "$root"
umask 022
mkdir -p usr bin etc proc dev/shm run var root .host/etc .old
mkdir -m 1777 tmp
chmod 1777 dev/shm
show /usr
for name in /sbin /lib /lib32 /lib64 /libx32; do
  if [ -h "$name" ]; then ln -s "$(readlink "$name")" ".$name"; elif [ -d "$name" ]; then show "$name"; fi
done
mount --bind ${shellQuote(binDir)} bin
readonly_tree "$root/bin"
if ! [ -h /bin ]; then mkdir .host/bin; mount --rbind /bin .host/bin; readonly_tree "$root/.host/bin"; fi
mount --rbind /etc .host/etc
readonly_tree "$root/.host/etc"
ln -s /usr .host/usr
ln -s /proc .host/proc
for name in null zero full random urandom tty; do
  [ -c "/dev/$name" ] || continue
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t proc proc proc 2>/dev/null || mount --rbind /proc proc
${shown.map((path) => `show ${shellQuote(path)}`).join('\n')}
${mounts.map((mount) => mountLines(mount, options.folders.has(mount.hostPath))).join('\n')}
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
ln -s /.host/etc/* /etc/ 2>/dev/null || :
mkdir -p ${shellQuote(plan.workingDir)} 2>/dev/null || :
${plan.readOnlyRoot ? 'mount -o remount,bind,ro coffer-pod /' : ''}
cd ${shellQuote(plan.workingDir)} || fail "there is no working directory "${shellQuote(plan.workingDir)}
drop=
if command -v setpriv >/dev/null; then drop="$(command -v setpriv) --no-new-privs --inh-caps=-all --bounding-set=-all"; fi
PATH=$container_path
export PATH
unset container_path root name
# Told to end before there was anything to end.
[ -z "$ended" ] || exit 143
$drop "$@" &
child=$!
while :; do
  code=0
  wait "$child" || code=$?
  kill -0 "$child" 2>/dev/null || break
done
exit "$code"
`
}

function mountLines(mount: ContainerMount, folder: boolean): string {
  const target = shellQuote(mount.containerPath)
  const refusal = `fail "cannot mount at "${target}": the path is in a part of the host that is shown read-only"`
  const make = folder
    ? `mkdir -p "$root"${target} 2>/dev/null`
    : `{ mkdir -p "$(dirname "$root"${target})" && : >>"$root"${target}; } 2>/dev/null`
  return [
    `${make} || ${refusal}`,
    `mount --rbind ${shellQuote(mount.hostPath)} "$root"${target}`,
    mount.readOnly ? `readonly_tree "$root"${target}` : '',
  ].join('\n')
}
