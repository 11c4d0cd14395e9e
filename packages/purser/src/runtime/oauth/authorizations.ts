import { endsWithin, withSignal } from '../../core/abort.ts'
import { type AbortSignalLike, toAbortSignal } from '../../core/call-signal.ts'
import type { Effects } from '../../core/effects.ts'
import { createSemaphore } from '../../core/semaphore.ts'
import type { Subject } from '../../core/subject.ts'
import { parseText } from '../../core/validate.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import type { McpOAuthOption } from '../../options.ts'
import type { AuthorizationCallback, McpAuthorization } from '../api.ts'
import type { RuntimeRepository, StoredRuntime } from '../repository.ts'
import type { RecordKey } from '../secrets.ts'
import type { Catalog } from '../settings/catalog.ts'
import { fillDefinition } from '../settings/mcp-definition.ts'
import type { ClientRegistrations } from './client-registrations.ts'
import { authorizationInvalid, authorizationServerUnavailable } from './errors.ts'
import type { StoredGrant } from './grant.ts'
import type { GrantRepository } from './grant-repository.ts'
import {
  createState,
  type GrantOwner,
  type PendingAuthorizations,
  type PendingContent,
} from './pending-authorizations.ts'
import type { AuthorizationServer, OAuthPort, TokenResult, TokenSource, Tokens, TrustedEndpoints } from './ports.ts'
import { createGrantContent, isClientUnknown, TokenRefresher } from './refresh.ts'
import { GrantTokenSource } from './token-source.ts'

/** Time limit of one discovery. */
const DISCOVERY_LIMIT_MS = 30_000
/** Concurrent discoveries; further ones wait. */
const DISCOVERIES_MAX = 32
const CALLBACK_PARAMETER_MAX_BYTES = 4_096

export interface AuthorizationsDeps {
  readonly effects: Effects
  readonly catalog: Catalog
  readonly oauth: OAuthPort
  readonly repository: RuntimeRepository
  readonly pending: PendingAuthorizations
  readonly grants: GrantRepository
  readonly registrations: ClientRegistrations
}

interface WriteOptions {
  readonly actor: string
  readonly signal: AbortSignalLike | undefined
}

/** Starts, completes and removes authorizations at MCP servers, and gives connections their tokens. */
export class Authorizations {
  readonly #deps: AuthorizationsDeps
  readonly #refresher: TokenRefresher
  readonly #discoverySlots = createSemaphore(DISCOVERIES_MAX, {
    message: 'Too many authorizations are starting.',
    hint: 'Try again.',
  })
  readonly #completing = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(deps: AuthorizationsDeps) {
    this.#deps = deps
    const { effects, grants, oauth, registrations } = deps
    const forgetClient: ClientRegistrations['forget'] = (name, client) => registrations.forget(name, client)
    this.#refresher = new TokenRefresher({ effects, grants, oauth, forgetClient })
  }

  async authorize(
    { user, name }: GrantOwner,
    signal: AbortSignalLike | undefined,
  ): Promise<{ url: string; expiresAt: string }> {
    const { repository, oauth, registrations, pending } = this.#deps
    const options = this.#getOptions(name)
    const stored = await withSignal(repository.read(user), signal)
    const endpoints = this.#getEndpoints(user, name, stored)
    const key: RecordKey = { user, incarnation: stored.incarnation, name }
    const { redirectUrl } = options
    const server = await this.#discover(endpoints, signal)
    const scope = options.scopes === undefined ? server.scope : options.scopes.join(' ') || null
    const client = await withSignal(registrations.getClient({ name, endpoints, options, server, scope }), signal)
    const state = createState()
    const { url, verifier } = await oauth.start({ server, client, redirectUrl, scope, state })
    const content = { url: endpoints.url, server, client, redirectUrl, scope, verifier }
    return { url, expiresAt: await pending.add(key, state, content, signal) }
  }

  /** Continues when `signal` is aborted: the code can be used only once. */
  complete(owner: GrantOwner, callback: AuthorizationCallback, options: WriteOptions): Promise<McpAuthorization> {
    const completing = this.#complete(owner, callback, options)
    const tracked: Promise<unknown> = completing.catch(() => undefined).finally(() => this.#completing.delete(tracked))
    this.#completing.add(tracked)
    return withSignal(completing, options.signal)
  }

  /** Resolves to whether there was an authorization. */
  remove(owner: GrantOwner, { actor, signal }: WriteOptions): Promise<boolean> {
    return this.#deps.grants.remove(owner, actor, signal)
  }

  async list(user: Subject): Promise<McpAuthorization[]> {
    return (await this.#deps.grants.list(user)).map(({ name, grant }) => toAuthorization(name, grant))
  }

  /** The tokens for one connection to the server at `url`. Throws when the server is configured without OAuth. */
  createTokenSource(key: RecordKey, url: string): TokenSource {
    const { effects, grants } = this.#deps
    const endpoints = { url, issuer: this.#getOptions(key.name).issuer }
    return new GrantTokenSource({ effects, grants, refresher: this.#refresher }, { ...key, endpoints })
  }

  /** Waits up to `timeoutMs` until the result of every sent request is stored. */
  async close(timeoutMs: number): Promise<void> {
    this.#refresher.stop()
    this.#closing.abort(purserClosed())
    const settled = Promise.all([this.#refresher.settled(), ...this.#completing])
    await endsWithin(this.#deps.effects, settled, timeoutMs)
  }

  #getOptions(name: string): McpOAuthOption {
    const definition = this.#deps.catalog.mcpServers.get(name)
    if (definition === undefined) throw new PurserError('mcp_unknown', `Unknown MCP server '${name}'.`)
    if ('url' in definition && definition.oauth !== undefined) return definition.oauth
    throw new PurserError('argument_invalid', `The MCP server '${name}' is configured without OAuth.`, {
      hint: `Configure mcpServers.${name}.oauth, or set the user's own secret with setSecret.`,
      details: { param: 'name' },
    })
  }

  #getEndpoints(user: Subject, name: string, stored: StoredRuntime): TrustedEndpoints {
    const { repository, catalog } = this.#deps
    const definition = catalog.mcpServers.get(name)
    const credentials = repository.openSecret(user, stored, name)
    const filled = definition && fillDefinition(definition, { server: name, user: user.id, credentials })
    return { url: filled && 'url' in filled ? filled.url : '', issuer: this.#getOptions(name).issuer }
  }

  async #discover(endpoints: TrustedEndpoints, signal: AbortSignalLike | undefined): Promise<AuthorizationServer> {
    const limit = new AbortController()
    const onLate = (): void =>
      limit.abort(new Error(`The authorization server was not found within ${DISCOVERY_LIMIT_MS} ms.`))
    const ended = AbortSignal.any([
      limit.signal,
      this.#closing.signal,
      ...(signal === undefined ? [] : [toAbortSignal(signal)]),
    ])
    await this.#discoverySlots.acquire(ended)
    const cancel = this.#deps.effects.setTimer(onLate, DISCOVERY_LIMIT_MS)
    try {
      return await withSignal(this.#deps.oauth.discover(endpoints, ended), ended)
    } finally {
      cancel()
      this.#discoverySlots.release()
    }
  }

  async #complete({ user, name }: GrantOwner, { state, code, iss }: AuthorizationCallback, options: WriteOptions) {
    const { issuer } = this.#getOptions(name)
    const { effects, oauth, grants, registrations } = this.#deps
    const taken = await this.#deps.pending.take({ user, name }, state, options.signal)
    if (taken === undefined) throw authorizationInvalid(name, 'state_unknown')
    if (taken === 'expired') throw authorizationInvalid(name, 'state_expired')
    const { incarnation, content: started } = taken
    if (!isFromIssuer(started, iss)) throw authorizationInvalid(name, 'issuer_mismatch')
    const { url, server, client } = started
    const result = await oauth.exchange({ url, issuer }, { ...started, code })
    if (isClientUnknown(result)) await registrations.forget(name, client)
    const tokens = getTokens(name, result)
    const content = createGrantContent(tokens, { url, server, client, now: effects.now() })
    const scope = tokens.scope ?? started.scope
    const { actor } = options
    const grant = await grants.add({ user, incarnation, name }, { id: effects.randomId(), scope, content, actor })
    return toAuthorization(name, grant)
  }
}

/** Validates the query parameters of a callback. */
export function parseCallback(callback: unknown): AuthorizationCallback {
  const { state, code, iss } = (callback ?? {}) as { state?: unknown; code?: unknown; iss?: unknown }
  return {
    state: parseParameter('state', state),
    code: parseParameter('code', code),
    iss: iss === undefined ? iss : parseParameter('iss', iss),
  }
}

function parseParameter(name: string, value: unknown): string {
  const hint = 'Pass the query parameters with which the browser returned to redirectUrl.'
  return parseText(value, { name, maxBytes: CALLBACK_PARAMETER_MAX_BYTES, hint })
}

/** RFC 9207: the callback must be from the requested issuer. A server that announces `iss` must send it. */
function isFromIssuer({ server }: PendingContent, iss: string | undefined): boolean {
  if (iss !== undefined) return iss === server.issuer
  return server.metadata.authorization_response_iss_parameter_supported !== true
}

function getTokens(name: string, result: TokenResult): Tokens {
  if (result.outcome === 'granted') return result.tokens
  if (result.outcome === 'refused') throw authorizationInvalid(name, 'code_refused', result.code)
  throw authorizationServerUnavailable(name, result.cause, `Start again with authorizeMcp('${name}').`)
}

function toAuthorization(name: string, { issuer, scope, authorizedAt, state }: StoredGrant): McpAuthorization {
  return { name, issuer, scopes: scope === null ? [] : scope.split(' '), authorizedAt, isUsable: state === 'live' }
}
