import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import { type AbortOptions, withSignal } from '../core/abort.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError, purserClosed } from '../errors.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { UpstreamEndpoints } from '../openai/endpoint.ts'
import type { Lease, Settings } from './api.ts'
import type { LiveRuntime, RuntimeSnapshot } from './pool/live-runtime.ts'
import type { McpClient } from './pool/mcp-connection-pool.ts'
import type { LiveModel } from './ports.ts'

/** A lease on a live runtime. It retains its model from the start and each MCP client from its first use. */
export class RuntimeLease implements Lease {
  readonly settings: Settings
  readonly incarnation: number
  readonly #runtime: LiveRuntime
  readonly #snapshot: RuntimeSnapshot
  readonly #onReleased: () => void
  #mcpClients: McpClient[] | undefined
  #isReleased = false
  #isRevoked = false

  /** The runtime has counted this lease already; `onReleased` is called once. */
  constructor(runtime: LiveRuntime, snapshot: RuntimeSnapshot, onReleased: () => void) {
    this.settings = snapshot.settings
    this.incarnation = runtime.incarnation
    this.#runtime = runtime
    this.#snapshot = snapshot
    this.#onReleased = onReleased
    snapshot.client?.retain()
  }

  get model(): LanguageModelV4 {
    return this.#getModel().model
  }

  get chat(): ChatModel {
    return this.#getModel().chat
  }

  get endpoints(): UpstreamEndpoints | undefined {
    return this.#getModel().endpoints
  }

  get mcpServers(): readonly string[] {
    return this.#snapshot.anyServer ? this.#runtime.configuredMcpServers : this.settings.mcpServers
  }

  /** Bound: callers may destructure it. */
  readonly mcp = async (name: string, options: AbortOptions = {}): Promise<Client> => {
    validateOptions('mcp', options, [])
    const { signal } = options
    this.#requireLive()
    if (!this.#snapshot.anyServer && !this.settings.mcpServers.includes(name)) throw unknownServer(name)
    const retained = this.#mcpClients?.find((client) => client.label.name === name && !client.isBroken)
    if (retained?.value !== undefined) return retained.value.client
    await withSignal(this.#runtime.refresh(), signal)
    this.#requireLive()
    const client = this.#runtime.retainMcpClient(name)
    try {
      const { client: connected } = await client.ready(signal)
      this.#requireLive()
      this.#mcpClients ??= []
      this.#mcpClients.push(client)
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
    this.#snapshot.client?.release()
    if (this.#mcpClients !== undefined) for (const client of this.#mcpClients) client.release()
    this.#onReleased()
  }

  /** Releases the lease on behalf of its holder, who kept it for too long. */
  revoke(): void {
    this.#isRevoked = true
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }

  #getModel(): LiveModel {
    this.#requireLive()
    const model = this.#snapshot.client?.value
    if (model !== undefined) return model
    throw new PurserError('model_required', 'No provider and model are set for this user.', {
      hint: 'Set them with configure, an override, or in runtime.defaults for all users.',
    })
  }

  #requireLive(): void {
    const { closeReason } = this.#runtime
    if (this.#isRevoked) {
      throw new PurserError('closed', 'This lease was revoked because it was not released within runtime.maxLeaseMs.', {
        hint: 'Acquire one lease per turn, or raise runtime.maxLeaseMs.',
      })
    }
    if (this.#isReleased) throw new PurserError('closed', 'This lease was released.', { hint: 'Acquire a new one.' })
    if (closeReason === 'erased') throw new PurserError('user_erased', 'The user was erased during this lease.')
    if (closeReason === 'shutdown') throw purserClosed()
  }
}

function unknownServer(name: string): PurserError {
  return new PurserError('mcp_unknown', `The MCP server '${name}' is not in the settings of this user.`, {
    hint: 'Add it to mcpServers in the settings of this user.',
  })
}
