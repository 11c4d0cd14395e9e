import type { Subject } from '../core/subject.ts'
import { auditOrigin } from '../journal/audit-context.ts'
import { removeKeysOfUser } from '../storage/api-keys.ts'
import { type EraseOptions, type EraseReceipt, eraseReceipt } from '../user.ts'
import type { Modules } from './modules.ts'

/** Removes everything of a user, in an order in which a failure leaves nothing that could be used. */
export async function eraseUser(
  { journal, runtimes, context, answers, store, cache }: Modules,
  user: Subject,
  { actor, reason, isClosing }: EraseOptions & { isClosing(): boolean },
): Promise<EraseReceipt> {
  // Answers that are not written yet are counted in the receipt as well.
  await answers.flush()
  // First, so that a failure leaves a user without keys rather than keys without a user.
  await removeKeysOfUser(store.meta, user.id)
  const rowCounts = await journal.erase(user, (incarnation, pseudonym) => ({
    type: 'user_erased',
    detail: 'a user was erased',
    data: { pseudonym, incarnation, ...auditOrigin() },
    actor,
    reason,
  }))
  // Before the message about the erasure, at which a cache of this process is wiped, so that they are counted.
  const [forgottenAnswers] = await Promise.allSettled([answers.forget(user)])
  const forgotten = [forgottenAnswers, ...(await Promise.allSettled([runtimes.forget(user), context.forget(user)]))]
  const wiped = await cache?.wipe(user, journal.tag(user)).catch(() => false)
  // Last, because the bus messages about the erasure name the user as well.
  const purged = (await store.users.purge().catch(() => false)) && wiped !== false
  const failed = forgotten.find((outcome) => outcome.status === 'rejected')
  // What the modules hold in memory ends with a close that did not wait for them.
  if (failed !== undefined && !isClosing()) throw failed.reason
  const answerCount = forgottenAnswers.status === 'fulfilled' ? forgottenAnswers.value : 0
  return eraseReceipt({ ...rowCounts, answers: (rowCounts.answers ?? 0) + answerCount }, purged)
}
