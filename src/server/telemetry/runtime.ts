/** The process itself: memory, event loop, garbage collection, CPU. */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { Telemetry } from './telemetry.ts'

/** Ends with `close`. */
export interface RuntimeMetrics {
  close(): void
}

const resolutionMs = 20

/** Vault's names where the thing is the same (vault_runtime_alloc_bytes), those of Prometheus' Node client for the rest. */
export function measureRuntime(telemetry: Telemetry): RuntimeMetrics {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const runs = telemetry.gauge('runtime.total_gc_runs')
  const pauses = telemetry.gauge('runtime.total_gc_pause_ns')
  const pause = telemetry.summary('runtime.gc_pause_ns')
  runs.set(0)
  pauses.set(0)
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      runs.add(1)
      pauses.add(duration * 1e6)
      pause.observe(duration * 1e6)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  const startedAt = telemetry.clock.now() / 1000 - process.uptime()
  telemetry.source(() => {
    const memory = process.memoryUsage()
    telemetry.gauge('runtime.alloc_bytes').set(memory.heapUsed)
    telemetry.gauge('runtime.sys_bytes').set(memory.rss)
    telemetry.gauge('!process_resident_memory_bytes').set(memory.rss)
    telemetry.gauge('!nodejs_heap_size_total_bytes').set(memory.heapTotal)
    telemetry.gauge('!nodejs_heap_size_used_bytes').set(memory.heapUsed)
    telemetry.gauge('!nodejs_external_memory_bytes').set(memory.external)
    const cpu = process.cpuUsage()
    telemetry.gauge('!process_cpu_seconds_total').set((cpu.user + cpu.system) / 1e6)
    telemetry.gauge('!process_start_time_seconds').set(startedAt)
    // The window is what passed since somebody last asked.
    telemetry.gauge('!nodejs_eventloop_lag_mean_seconds').set(seconds(delay.mean))
    telemetry.gauge('!nodejs_eventloop_lag_max_seconds').set(seconds(delay.max))
    telemetry.gauge('!nodejs_eventloop_lag_p50_seconds').set(seconds(delay.percentile(50)))
    telemetry.gauge('!nodejs_eventloop_lag_p90_seconds').set(seconds(delay.percentile(90)))
    telemetry.gauge('!nodejs_eventloop_lag_p99_seconds').set(seconds(delay.percentile(99)))
    delay.reset()
  })
  return {
    close: () => {
      delay.disable()
      observer.disconnect()
    },
  }
}

/** Node measures the time between two looks; what is above their interval is delay. */
const seconds = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1e9 - resolutionMs / 1000) : 0)
