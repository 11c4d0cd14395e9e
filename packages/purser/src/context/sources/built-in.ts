import type { Subject } from '../../core/subject.ts'
import type { RecordReader } from '../../journal/api.ts'
import { ACTION, MAX_ACTIONS, PROFILE } from '../records.ts'
import type { SectionSource } from '../section.ts'

/** Profile and actions as Purser's own store has them: the actions oldest first, as they were done. */
export function builtInSource(reader: RecordReader, section: 'profile' | 'actions'): SectionSource {
  const call = section === 'profile' ? profileOf : actionsOf
  return { builtIn: true, call: (user) => call(reader, user), close: async () => undefined }
}

async function profileOf(reader: RecordReader, user: Subject): Promise<unknown> {
  const stored = await reader.record(user, PROFILE, '')
  return stored === undefined ? null : JSON.parse(stored)
}

async function actionsOf(reader: RecordReader, user: Subject): Promise<unknown> {
  const stored = await reader.records(user, ACTION, { limit: MAX_ACTIONS, order: 'descending' })
  return stored.map((record) => JSON.parse(record.value) as unknown).reverse()
}
