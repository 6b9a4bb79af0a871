import { LRUCache } from 'lru-cache'

/**
 * At most so many entries; the one that was used least recently goes. LRUCache's own `max` sets its room aside at once (a
 * megabyte and 6 ms for 50,000), which most servers never fill; sizes make it grow with its entries.
 */
export const boundedCache = <K extends string, V extends object | string>(entries: number): LRUCache<K, V> =>
  new LRUCache<K, V>({ maxSize: entries, sizeCalculation: () => 1 })
