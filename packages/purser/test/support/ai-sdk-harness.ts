import { after } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import { openPurser, type Purser, type User } from '../../src/index.ts'
import type { ProviderConfig } from '../../src/options.ts'
import type { Upstream } from '../providers/upstream.ts'

const open: Purser[] = []

/** Call it at the top of a test file: what it opened is closed after its tests. */
export function closeAfterTests(): void {
  after(async () => {
    await Promise.all(open.map((purser) => purser.close()))
  })
}

export async function purserOn(
  upstream: Upstream,
  more: { kind?: ProviderConfig['kind']; dailyCap?: number; answers?: boolean } = {},
): Promise<Purser> {
  const purser = await openPurser({
    store: 'memory:',
    providers: { p: { kind: more.kind ?? 'openai-compatible', baseURL: `${upstream.url}/v1`, apiKey: 'operator-key' } },
    runtime: { defaults: { provider: 'p', model: 'm', parameters: { temperature: 0.25 } } },
    ledger: { dailyCap: more.dailyCap ?? 0 },
    answers: { enabled: more.answers ?? false },
  })
  open.push(purser)
  return purser
}

export function refusedWith(code: 'cap_reached' | 'user_blocked'): (error: unknown) => boolean {
  return (error) => PurserError.is(error, code)
}

export async function counted(user: User): Promise<number> {
  return (await user.ledger.quota()).count
}
