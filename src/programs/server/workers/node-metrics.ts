import { lasting, merged, type SeriesImage } from './series-image.ts'

interface Measured {
  images: readonly SeriesImage[]
}

/** What all processes of a node have counted, those that are gone included. */
export class NodeMetrics {
  #gone: readonly SeriesImage[] = []

  /** Of a process that ended: as it was last heard of. */
  keep({ images }: Measured): void {
    if (images.length > 0) this.#gone = merged([this.#gone, lasting(images)])
  }

  /** A process that does not answer now counts as it last did. */
  async all(members: readonly (Measured & { ask(): Promise<readonly SeriesImage[] | undefined> })[]) {
    await Promise.all(
      members.map(async (member) => {
        member.images = (await member.ask()) ?? member.images
      }),
    )
    return merged([this.#gone, ...members.map(({ images }) => images)])
  }
}
