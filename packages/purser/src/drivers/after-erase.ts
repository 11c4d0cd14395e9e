import type { Subject } from '../core/subject.ts'
import { type Erasure, LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { SharedBus } from './process-messages.ts'

/** The parts of a store, beside its users, that an erasure concerns. */
export interface ErasedParts {
  readonly bus: SharedBus
  /** Makes the answers of a user unreachable; resolves to their number. */
  forgetAnswers(namespace: string, tag: string): Promise<number>
  /** Removes the last good contexts of a user. */
  dropContexts(user: Subject): Promise<void>
}

/** The erasure is done by now, and rebuildable data of an old incarnation is never read: nothing here can fail it. */
export async function finishErasure(user: Subject, { tag, log }: Erasure, parts: ErasedParts): Promise<number> {
  parts.bus.notifyCommit(user, { events: [] })
  parts.bus.notifyCommit({ namespace: user.namespace, id: LOG_OF_NAMESPACE }, log)
  const [answers] = await Promise.all([
    parts.forgetAnswers(user.namespace, tag).catch(() => 0),
    parts.dropContexts(user).catch(() => undefined),
  ])
  return answers
}
