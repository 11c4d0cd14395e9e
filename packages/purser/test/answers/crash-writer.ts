import { createAnswers } from '../../src/answers/answers.ts'
import type { Answers } from '../../src/answers/api.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { createPendingCalls } from '../../src/core/pending-calls.ts'
import { createSqliteAnswers } from '../../src/drivers/sqlite/cache/answers.ts'
import { openCache } from '../../src/drivers/sqlite/cache/cache-file.ts'
import { createCacheWriter } from '../../src/drivers/sqlite/worker/threads.ts'
import { DEFAULTS } from '../../src/options.ts'
import { alice, bob, keys } from '../support/answers-harness.ts'

/** The answer to request n. Long ones span several pages of the file. */
export function answerTo(n: number): { readonly n: number; readonly text: string } {
  return { n, text: `answer ${n} `.repeat(1 + ((n * 37) % 400)) }
}

/** Answers on a real file, with real clocks and the writer's thread. */
export async function openSystemAnswers(path: string): Promise<{ readonly answers: Answers; close(): Promise<void> }> {
  const database = await openCache(path)
  const writer = createCacheWriter(path)
  const answers = createAnswers({
    store: createSqliteAnswers(database, writer),
    keys,
    effects: systemEffects,
    options: DEFAULTS.answers,
    namespace: 'default',
    calls: createPendingCalls(systemEffects),
    bus: { publish: async () => undefined, subscribe: () => () => undefined },
    incarnationOf: async () => 1,
  })
  return {
    answers,
    async close() {
      await answers.close()
      await database.close()
      await writer.call('close')
      await writer.close()
    },
  }
}

/** Answers between two flushes. */
const FLUSH_EVERY = 7

/** `crash-writer.ts PATH FROM [COUNT]`: stores answers from FROM on and prints a number when all up to it are stored. */
if (import.meta.main) {
  const [path = '', from = '0', count = 'Infinity'] = process.argv.slice(2)
  const { answers, close } = await openSystemAnswers(path)
  const end = Number(from) + Number(count)
  for (let n = Number(from); n < end; n++) {
    await answers.of(n % 2 === 0 ? alice : bob).remember({ n }, () => answerTo(n))
    if (n % FLUSH_EVERY !== 0) continue
    await answers.flush()
    process.stdout.write(`${n}\n`)
  }
  await close()
}
