import type { Subject } from '../../core/subject.ts'
import type { RecordReader } from '../../journal/api.ts'
import { ACTION, MAX_ACTIONS, PROFILE } from '../records.ts'
import type { SectionSource } from '../section.ts'

/** Profile or actions from Purser's own store; the actions oldest first. */
export function createBuiltInSource(reader: RecordReader, section: 'profile' | 'actions'): SectionSource {
  const read = section === 'profile' ? readProfile : readActions
  return { kind: 'store', isBuiltIn: true, load: (user) => read(reader, user), close: async () => undefined }
}

async function readProfile(reader: RecordReader, user: Subject): Promise<unknown> {
  const stored = await reader.record(user, PROFILE, '')
  return stored === undefined ? null : JSON.parse(stored)
}

async function readActions(reader: RecordReader, user: Subject): Promise<unknown> {
  const newestFirst = await reader.records(user, ACTION, { limit: MAX_ACTIONS, order: 'descending' })
  return newestFirst.map((record) => JSON.parse(record.value) as unknown).reverse()
}
