import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import { type AbortOptions, withSignal } from '../core/abort.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError, purserClosed } from '../errors.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { Lease, Settings } from './api.ts'
import type { LiveRuntime, Plan } from './pool/live-runtime.ts'
import type { ToolClient } from './pool/mcp-connections.ts'
import type { LiveModel } from './ports.ts'

/** One use of a live runtime. It holds its model from the start and each MCP client from its first use. */
export class RuntimeLease implements Lease {
  readonly settings: Settings
  readonly incarnation: number
  readonly #live: LiveRuntime
  readonly #plan: Plan
  readonly #ended: (lease: RuntimeLease, live: LiveRuntime) => void
  #tools: ToolClient[] | undefined
  #isReleased = false
  #isOverdue = false

  /** The runtime has counted this lease already; `ended` counts it out again. */
  constructor(live: LiveRuntime, plan: Plan, ended: (lease: RuntimeLease, live: LiveRuntime) => void) {
    this.settings = plan.settings
    this.incarnation = live.incarnation
    this.#live = live
    this.#plan = plan
    this.#ended = ended
    plan.client?.hold()
  }

  get model(): LanguageModelV4 {
    return this.#model().model
  }

  get chat(): ChatModel {
    return this.#model().chat
  }

  /** Bound: callers take it out of the lease and hand it on. */
  readonly mcp = async (name: string, options: AbortOptions = {}): Promise<Client> => {
    validateOptions('mcp', options, [])
    const { signal } = options
    this.#requireLive()
    if (!this.#plan.anyServer && !this.settings.mcpServers.includes(name)) throw unknownServer(name)
    const held = this.#tools?.find((client) => client.label.name === name && !client.isBroken)
    if (held?.value !== undefined) return held.value.client
    await withSignal(this.#live.refresh(), signal)
    this.#requireLive()
    const client = this.#live.takeTool(name)
    try {
      const { client: connected } = await client.ready(signal)
      this.#requireLive()
      this.#tools ??= []
      this.#tools.push(client)
      return connected
    } catch (error) {
      client.release()
      throw error
    }
  }

  /** Bound, as `mcp`. */
  readonly release = (): void => {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#plan.client?.release()
    if (this.#tools !== undefined) for (const client of this.#tools) client.release()
    this.#ended(this, this.#live)
  }

  /** Releases it in place of a holder who has not. */
  takeBack(): void {
    this.#isOverdue = true
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }

  #model(): LiveModel {
    this.#requireLive()
    const model = this.#plan.client?.value
    if (model !== undefined) return model
    throw new PurserError('model_required', 'No provider and model are set for this user.', {
      hint: 'Set them with configure, an override, or for everybody in runtime.defaults.',
    })
  }

  #requireLive(): void {
    const { fate } = this.#live
    if (this.#isOverdue) {
      throw new PurserError('closed', 'This lease was out for too long and was taken back.', {
        hint: 'Acquire a new one for each turn, or raise runtime.maxLeaseMs.',
      })
    }
    if (this.#isReleased) throw new PurserError('closed', 'This lease was released.', { hint: 'Acquire a new one.' })
    if (fate === 'erased') throw new PurserError('user_erased', 'The user was erased while this lease was out.')
    if (fate === 'closed') throw purserClosed()
  }
}

function unknownServer(name: string): PurserError {
  return new PurserError('mcp_unknown', `The MCP server '${name}' is not among this user's.`, {
    hint: 'Add it to mcpServers in the settings of this user.',
  })
}
