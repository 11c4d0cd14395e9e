import type { Subject } from '../core/subject.ts'
import type { RecordReader } from '../journal/api.ts'
import { ACTION, type Action, MAX_ACTIONS, PROFILE } from './records.ts'

export interface ContextRow {
  readonly part: 'context'
  readonly type: 'profile' | 'action'
  /** ISO 8601, UTC. */
  readonly at?: string
  readonly value: unknown
}

/** What is stored of a user for their context: the profile, then the actions, oldest first. */
export async function* exportContext(user: Subject, reader: RecordReader): AsyncGenerator<ContextRow> {
  const profile = await reader.record(user, PROFILE, '')
  if (profile !== undefined) yield { part: 'context', type: 'profile', value: JSON.parse(profile) }
  const actions = await reader.records(user, ACTION, { limit: MAX_ACTIONS, order: 'ascending' })
  for (const { value } of actions) {
    const action = JSON.parse(value) as Action
    yield { part: 'context', type: 'action', at: action.at, value: action }
  }
}
