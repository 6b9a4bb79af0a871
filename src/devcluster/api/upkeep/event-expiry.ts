/** Events end after an hour. */
import type { Clock } from '../../../lib/clock.ts'
import { eventCollection, eventLifetimeMs } from '../kinds/events.ts'
import type { ObjectStore } from '../store/object-store.ts'

/** Looked at whenever an event is written: no timer is needed for what only takes up memory. */
export function expireEvents(store: ObjectStore, clock: Clock): () => void {
  return store.subscribe(({ collection, type }) => {
    if (collection !== eventCollection || type === 'DELETED') return
    const oldest = clock.now() - eventLifetimeMs
    for (const event of store.list(eventCollection)) {
      const written = event.metadata.managedFields?.at(-1)?.time ?? event.metadata.creationTimestamp ?? ''
      if (Date.parse(written) < oldest) store.remove(eventCollection, event)
    }
  })
}
