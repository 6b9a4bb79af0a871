/** sys/host-info: the machine, as far as this process sees it. */
import { statfs } from 'node:fs/promises'
import { arch, cpus, freemem, hostname, platform, release, totalmem, uptime, version } from 'node:os'
import type { JsonObject } from '../../../../../lib/json/value.ts'
import { operation, type Route } from '../../../../contracts/request.ts'

export function hostInfoRoutes(): Route[] {
  const read = operation({
    input: {},
    namespaces: 'root',
    handle: async (call) => {
      const disk = await diskInfo('/').catch(() => undefined)
      if (!disk) call.warn('failed to read disk usage')
      return {
        kind: 'data',
        data: {
          timestamp: new Date(call.now).toISOString(),
          cpu: cpuInfo(),
          cpu_times: cpuTimes(),
          ...(disk ? { disk: [disk] } : {}),
          host: hostStat(call.now),
          memory: memoryStat(),
        },
      }
    },
  })
  return [{ path: 'host-info', summary: 'The machine that this process runs on.', on: { read } }]
}

const cpuInfo = (): JsonObject[] =>
  cpus().map(({ model, speed }, i) => ({ cpu: i, cores: 1, modelName: model, mhz: speed }))

/** Seconds, as gopsutil's. */
const cpuTimes = (): JsonObject[] =>
  cpus().map(({ times }, i) => ({
    cpu: `cpu${i}`,
    user: times.user / 1000,
    system: times.sys / 1000,
    idle: times.idle / 1000,
    nice: times.nice / 1000,
    irq: times.irq / 1000,
  }))

async function diskInfo(path: string): Promise<JsonObject> {
  const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(path)
  const used = (blocks - bfree) * bsize
  return {
    path,
    total: blocks * bsize,
    free: bavail * bsize,
    used,
    usedPercent: percent(used, used + bavail * bsize),
    inodesTotal: files,
    inodesFree: ffree,
    inodesUsed: files - ffree,
    inodesUsedPercent: percent(files - ffree, files),
  }
}

const hostStat = (now: number): JsonObject => ({
  hostname: hostname(),
  uptime: Math.floor(uptime()),
  bootTime: Math.floor(now / 1000 - uptime()),
  os: platform(),
  platform: platform(),
  platformVersion: version(),
  kernelVersion: release(),
  kernelArch: arch(),
})

function memoryStat(): JsonObject {
  const [total, free] = [totalmem(), freemem()]
  return { total, available: free, used: total - free, usedPercent: percent(total - free, total), free }
}

const percent = (part: number, whole: number) => (whole > 0 ? (part / whole) * 100 : 0)
