import type { Command } from '../command.ts'
import { DemoClock } from '../demo/demo-clock.ts'
import { createDemoConfig } from '../demo/demo-config.ts'
import { startDemoTraffic } from '../demo/demo-traffic.ts'
import { openDemoUpstream } from '../demo/demo-upstream.ts'
import { PAST_DAYS, writePast } from '../demo/write-past.ts'
import { GENERAL_FLAGS, SETTING_FLAGS } from '../flags.ts'
import { serveUntilInterrupted } from './serve.ts'

const USERS = 200
const DAY_MS = 86_400_000

const { config: _, ...FLAGS_WITHOUT_CONFIG } = GENERAL_FLAGS

export const demo: Command = {
  name: 'demo',
  operands: '',
  operandCount: [0, 0],
  summary: `Starts a demo server with ${USERS} simulated users and what they did in the last ${PAST_DAYS} days.`,
  flags: { ...FLAGS_WITHOUT_CONFIG, ...SETTING_FLAGS },
  async run(invocation) {
    const clock = new DemoClock(PAST_DAYS * DAY_MS)
    const upstream = await openDemoUpstream(clock)
    try {
      return await serveUntilInterrupted(invocation, {
        config: createDemoConfig(upstream.url),
        effects: clock,
        async startBackground({ context }) {
          const people = await writePast({ purser: context.purser, clock, users: USERS })
          await context.webhooks.create({ url: `${upstream.url}/events`, types: ['risk_change'] }, 'meera')
          return startDemoTraffic(context, people)
        },
      })
    } finally {
      await upstream.close()
    }
  },
}
