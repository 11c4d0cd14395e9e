import type { Bond } from 'purser'
import { NotFoundError } from './command.ts'
import type { Connection } from './connection.ts'
import { safe } from './terminal.ts'

/** For commands that would show nothing of somebody there is not. Who cannot be read is somebody. */
export async function requireKnown(connection: Connection, id: string): Promise<void> {
  const bond = (await connection.call('GET', ['users', id, 'bond']).catch(() => undefined)) as Bond | undefined
  if (bond?.exists === false) throw new NotFoundError(`There is no user '${safe(id)}'.`)
}
