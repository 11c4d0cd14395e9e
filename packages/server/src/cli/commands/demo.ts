import type { ConfigFile } from '../../config/schema.ts'
import { type Command, GENERAL_FLAGS, SETTING_FLAGS } from '../command.ts'
import { DEMO_PHASES, DEMO_RISKS } from '../demo-data.ts'
import { livelyCrowd } from '../demo-traffic.ts'
import { serveUntilInterrupted } from './serve.ts'

const USERS = 200

/**
 * What the demo runs on, unless flags say otherwise: nothing is written anywhere. A configuration that happens to be
 * here is that of a real store, which made-up people have no business in.
 */
const DEMO: ConfigFile = {
  store: 'memory:',
  ledger: { dailyCap: 40, phases: DEMO_PHASES, riskLevels: DEMO_RISKS },
}

const { config: _, ...WITHOUT_FILE } = GENERAL_FLAGS

export const demo: Command = {
  name: 'demo',
  operands: '',
  summary: `The same with a built-in upstream and ${USERS} lively users, nothing to configure.`,
  takes: [0, 0],
  flags: { ...WITHOUT_FILE, ...SETTING_FLAGS },
  run: (call) =>
    serveUntilInterrupted(call, {
      instead: DEMO,
      companion: async ({ house }) => livelyCrowd(house, USERS),
    }),
}
