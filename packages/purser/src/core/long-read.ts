import { afterCurrentTick } from './effects.ts'

/*
 * Long reads of this process, such as exports, verifications, and readers of the log that are far behind, take turns
 * page by page: one page is read and handled, then everything else that waits for the event loop, then the next page.
 * So ten of them delay other requests no longer than one.
 */

let lastPage: Promise<void> = Promise.resolve()

/** Reads one page of a long read, after the pages that were asked for before. Do not call it inside `read`. */
export async function readPage<Page>(read: () => Promise<Page>): Promise<Page> {
  const previous = lastPage
  const { promise, resolve } = Promise.withResolvers<void>()
  lastPage = promise
  await previous
  try {
    return await read()
  } finally {
    // The caller handles its page in the current tick.
    afterCurrentTick(resolve)
  }
}
