import { LRUCache } from 'lru-cache'
import type { Subject } from '../core/subject.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import { type IntegrityError, type Verification, type VerifyDeps, verifyUser } from './verify.ts'

const PAGE = 500
const MAX_REMEMBERED = 10_000

/** Checks every user of a namespace and its own log, then that every event belongs to a user there is. */
export async function verifyAll(
  house: VerifyDeps & { now(): number },
  namespace: string,
  signal: AbortSignal | undefined,
): Promise<Verification> {
  const newest = (await house.store.events.position(namespace)) ?? 0
  let checked = 0
  let firstBad: IntegrityError | undefined
  const check = async (id: string): Promise<void> => {
    signal?.throwIfAborted()
    const found = await verifyUser(house, { namespace, id })
    checked += found.checked
    firstBad ??= found.firstBad
  }
  for await (const id of userIds(house, namespace)) await check(id)
  await check(LOG_OF_NAMESPACE)
  firstBad ??= await strayEvent(house, namespace, { newest, signal })
  return firstBad === undefined ? { ok: true, checked } : { ok: false, checked, firstBad }
}

async function* userIds({ store, now }: VerifyDeps & { now(): number }, namespace: string): AsyncGenerator<string> {
  for (let after: { value: string; id: string } | undefined; ; ) {
    const page = await store.users.list({
      namespace,
      now: now(),
      orderBy: 'id',
      order: 'ascending',
      limit: PAGE,
      after,
    })
    for (const { id } of page) yield id
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return
    after = { value: last.id, id: last.id }
  }
}

/** An event whose user has no row: somebody removed the row, or put the event there. */
async function strayEvent(
  { store }: VerifyDeps,
  namespace: string,
  { newest, signal }: { newest: number; signal: AbortSignal | undefined },
): Promise<IntegrityError | undefined> {
  const known = new LRUCache<string, true>({ max: MAX_REMEMBERED })
  for (let after = 0; after < newest; ) {
    signal?.throwIfAborted()
    const entries = await store.events.tail(namespace, { after, limit: PAGE })
    for (const { user: id, event } of entries) {
      if (known.has(id)) continue
      const user: Subject = { namespace, id }
      if (
        (await store.users.load(user)) === undefined &&
        (await store.events.oldest(user, { after: 0, limit: 1 })).length > 0
      )
        return { user: id, sequence: event.sequence, problem: 'There is an event of a user that is not there.' }
      known.set(id, true)
    }
    after = entries.at(-1)?.position ?? newest
  }
  return undefined
}
