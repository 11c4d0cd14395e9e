import { endsWithin, withSignal } from '../../core/abort.ts'
import type { Effects } from '../../core/effects.ts'
import type { Keyring } from '../../core/keyring.ts'
import { createSemaphore } from '../../core/semaphore.ts'
import type { Subject } from '../../core/subject.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import type { JournalPort } from '../../journal/api.ts'
import type { McpOAuthOption } from '../../options.ts'
import type { MetaStore, UserStore } from '../../storage/store.ts'
import type { McpAuthorization } from '../api.ts'
import { openSecret } from '../secrets.ts'
import type { Catalog } from '../settings/catalog.ts'
import { fillDefinition } from '../settings/mcp-definition.ts'
import type { StoredRuntime } from '../stored-runtime.ts'
import { Registrations } from './client-registration.ts'
import { authorizationInvalid, serverUnreachable } from './errors.ts'
import { GRANT_KIND, readGrant, type StoredGrant } from './grant.ts'
import { GrantRepository } from './grant-repository.ts'
import {
  type BegunAuthorization,
  type BegunContent,
  newState,
  openBegun,
  STATE_TTL_MS,
  sealBegun,
  stateDigest,
} from './pending-authorization.ts'
import type { AuthorizationServer, OAuthPort, TokenResult, TokenSource, Tokens, TrustedEndpoints } from './ports.ts'
import { contentWith, isClientUnknown, TokenRefresher } from './refresh.ts'
import { GrantTokenSource } from './token-source.ts'

/** How long finding an authorization server may take in all. */
const DISCOVERY_LIMIT_MS = 30_000
/** Authorization servers that are looked for at the same time; others wait. */
const DISCOVERIES_MAX = 32
/** Answers of a browser are short texts. */
const ANSWER_MAX_CHARACTERS = 4_096
/** Read of one user; there are only as many as MCP servers are configured, or once were. */
const GRANTS_MAX = 1_000

export interface AuthorizationsDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly journal: JournalPort
  readonly keys: Keyring
  readonly users: UserStore
  readonly meta: MetaStore
  readonly catalogue: Catalog
  readonly port: OAuthPort
  readFacts(user: Subject): Promise<StoredRuntime>
}

/** What the person came back with. */
export interface Answer {
  readonly state: string
  readonly code: string
  readonly iss: string | undefined
}

interface Acting {
  readonly actor: string
  readonly signal: AbortSignal | undefined
}

/** Everything about OAuth: begins, completes and removes authorizations, and gives connections their tokens. */
export class Authorizations {
  readonly #house: AuthorizationsDeps
  readonly #records: GrantRepository
  readonly #registrations: Registrations
  readonly #renewals: TokenRefresher
  readonly #places = createSemaphore(DISCOVERIES_MAX, {
    message: 'Too many authorizations are being begun.',
    hint: 'Try again.',
  })
  readonly #completing = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(house: AuthorizationsDeps) {
    this.#house = house
    this.#records = new GrantRepository(house)
    this.#registrations = new Registrations(house)
    this.#renewals = new TokenRefresher({
      ...house,
      records: this.#records,
      forgetClient: (name, client) => this.#registrations.forget(name, client),
    })
  }

  async authorize(
    user: Subject,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<{ url: string; expiresAt: string }> {
    const { keys, readFacts, port } = this.#house
    const oauth = this.#oauthOf(name)
    const facts = await withSignal(readFacts(user), signal)
    const site = this.#siteOf(user, name, facts)
    const place = { user, incarnation: facts.incarnation, name }
    const { redirectUrl } = oauth
    const server = await this.#discover(site, signal)
    const scope = oauth.scopes === undefined ? server.scope : oauth.scopes.join(' ') || null
    const client = await withSignal(this.#registrations.clientFor({ name, site, oauth, server, scope }), signal)
    const state = newState()
    const { url, verifier } = await port.start({ server, client, redirectUrl, scope, state })
    const digest = stateDigest(keys, place, state)
    const content = { url: site.url, server, client, redirectUrl, scope, verifier }
    const sealed = sealBegun(keys, place, digest, content)
    const begun = (now: number): BegunAuthorization => ({ digest, sealed, expiresAt: now + STATE_TTL_MS })
    return { url, expiresAt: await this.#records.begin(place, begun, signal) }
  }

  /** Goes on when the caller has left: the code is good for one time. */
  complete(user: Subject, name: string, answer: Answer & Acting): Promise<McpAuthorization> {
    const completing = this.#complete(user, name, answer)
    const tracked: Promise<unknown> = completing.catch(() => undefined).finally(() => this.#completing.delete(tracked))
    this.#completing.add(tracked)
    return withSignal(completing, answer.signal)
  }

  remove(user: Subject, name: string, { actor, signal }: Acting): Promise<boolean> {
    return this.#records.remove({ user, name }, actor, signal)
  }

  async list(user: Subject): Promise<McpAuthorization[]> {
    const { users, journal } = this.#house
    const { incarnation } = await journal.read(user)
    const rows = await users.records(user, GRANT_KIND, { limit: GRANTS_MAX, order: 'ascending' })
    return rows.flatMap(({ name, value }) => {
      const grant = readGrant(value, incarnation)
      return grant === undefined ? [] : [seen(name, grant)]
    })
  }

  /** Tokens for one connection of this user to the server at `url`; throws where no OAuth is configured. */
  bearerFor(user: Subject, incarnation: number, { name, url }: { name: string; url: string }): TokenSource {
    const { effects, keys, users } = this.#house
    const site = { url, issuer: this.#oauthOf(name).issuer }
    return new GrantTokenSource({ effects, keys, users, renewals: this.#renewals }, { user, incarnation, name, site })
  }

  /** Waits for what was sent to be stored. */
  async close(timeoutMs: number): Promise<void> {
    this.#renewals.stop()
    this.#closing.abort(purserClosed())
    const settled = Promise.all([this.#renewals.settled(), ...this.#completing])
    await endsWithin(this.#house.effects, settled, timeoutMs)
  }

  #oauthOf(name: string): McpOAuthOption {
    const definition = this.#house.catalogue.servers.get(name)
    if (definition === undefined) throw new PurserError('mcp_unknown', `There is no MCP server '${name}'.`)
    if ('url' in definition && definition.oauth !== undefined) return definition.oauth
    throw new PurserError('argument_invalid', `The MCP server '${name}' is configured without OAuth.`, {
      hint: `Give mcpServers.${name}.oauth, or the user's own secret with setSecret.`,
      details: { param: 'name' },
    })
  }

  #siteOf(user: Subject, name: string, { incarnation, secrets }: StoredRuntime): TrustedEndpoints {
    const { keys, catalogue } = this.#house
    const definition = catalogue.servers.get(name)
    const secret = secrets.get(name)
    const credentials = secret === undefined ? null : openSecret(keys, { user, incarnation, name }, secret)
    const filled = definition && fillDefinition(definition, { server: name, user: user.id, credentials })
    return { url: filled && 'url' in filled ? filled.url : '', issuer: this.#oauthOf(name).issuer }
  }

  async #discover(site: TrustedEndpoints, signal: AbortSignal | undefined): Promise<AuthorizationServer> {
    const limit = new AbortController()
    const late = (): void => limit.abort(new Error(`It could not be found within ${DISCOVERY_LIMIT_MS} ms.`))
    const ends = AbortSignal.any([limit.signal, this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    await this.#places.enter(ends)
    const cancel = this.#house.effects.setTimer(late, DISCOVERY_LIMIT_MS)
    try {
      return await withSignal(this.#house.port.discover(site, ends), ends)
    } finally {
      cancel()
      this.#places.leave()
    }
  }

  async #complete(user: Subject, name: string, { state, code, iss, actor, signal }: Answer & Acting) {
    const { issuer } = this.#oauthOf(name)
    const { keys, journal, effects, port } = this.#house
    const { incarnation } = await journal.read(user)
    const place = { user, incarnation, name }
    const taken = await this.#records.take(place, stateDigest(keys, place, state), signal)
    if (taken === undefined) throw authorizationInvalid(name, 'state_unknown')
    if (taken === 'expired') throw authorizationInvalid(name, 'state_expired')
    const begun = openBegun(keys, place, taken)
    if (!isFrom(begun, iss)) throw authorizationInvalid(name, 'issuer_mismatch')
    const { url, server, client } = begun
    const answer = await port.exchange({ url, issuer }, { ...begun, code })
    if (isClientUnknown(answer)) await this.#registrations.forget(name, client)
    const tokens = tokensIn(name, answer)
    const content = contentWith(tokens, { url, server, client, now: effects.now() })
    const scope = tokens.scope ?? begun.scope
    return seen(name, await this.#records.keep(place, { id: effects.randomId(), scope, content, actor }))
  }
}

/** RFC 9207: who answers is who was asked. A server that says it always tells must tell. */
function isFrom({ server }: BegunContent, iss: string | undefined): boolean {
  if (iss !== undefined) return iss === server.issuer
  return server.metadata.authorization_response_iss_parameter_supported !== true
}

function tokensIn(name: string, answer: TokenResult): Tokens {
  if (answer.outcome === 'granted') return answer.tokens
  if (answer.outcome === 'refused') throw authorizationInvalid(name, 'code_refused', answer.code)
  throw serverUnreachable(name, answer.cause, `Begin again with authorizeMcp('${name}').`)
}

function seen(name: string, { issuer, scope, authorizedAt, state }: StoredGrant): McpAuthorization {
  return { name, issuer, scopes: scope === null ? [] : scope.split(' '), authorizedAt, isUsable: state === 'live' }
}

/** Checks what came through a browser. */
export function answerOf(given: unknown): Answer {
  const { state, code, iss } = (given ?? {}) as { state?: unknown; code?: unknown; iss?: unknown }
  return {
    state: textOf('state', state),
    code: textOf('code', code),
    iss: iss === undefined ? iss : textOf('iss', iss),
  }
}

function textOf(param: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= ANSWER_MAX_CHARACTERS) return value
  throw new PurserError('argument_invalid', `'${param}' is not text of 1 to ${ANSWER_MAX_CHARACTERS} characters.`, {
    hint: 'Give the query parameters with which the person came back to redirectUrl.',
    details: { param },
  })
}
