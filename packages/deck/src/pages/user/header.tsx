import { type ReactElement, useId, useState } from 'react'
import { Link } from 'wouter'
import { apiUrl } from '../../api/client.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { Copy } from '../../components/copy-button.tsx'
import { ExactInstant, Instant, Span } from '../../components/instant.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { useMay } from '../../layout/session.ts'
import { notify } from '../../layout/toasts.tsx'
import { BlockDialog, CapDialog, CorrectDialog, EraseDialog, EvictDialog, UnblockDialog } from './dialogs.tsx'
import type { Acts } from './use-user-mutations.ts'
import { verdictOf } from './verification-message.ts'

type Asking = 'cap' | 'block' | 'unblock' | 'correct' | 'evict' | 'erase'

/** Who this is, how they stand, and what can be done. */
export function Header(props: { bond: Bond; acts: Acts; vocabulary: Vocabulary }): ReactElement {
  const { bond, acts, vocabulary } = props
  const [asking, setAsking] = useState<Asking | null>(null)
  const close = (): void => setAsking(null)
  const question = { bond, acts, close }
  return (
    <header className="user-head">
      <nav aria-label="Breadcrumb" className="crumbs">
        <Link href="/users">
          <span aria-hidden="true">← </span>Users
        </Link>
      </nav>
      <div className="user-title">
        <h1>
          <bdi>{bond.user}</bdi>
        </h1>
        <Copy text={bond.user} label="Copy the id" />
      </div>
      <div className="user-standing">
        <PhaseTag phase={bond.phase} vocabulary={vocabulary} />
        {bond.phaseEnteredAt !== null && (
          <span className="quiet small">
            for <Span since={bond.phaseEnteredAt} zone={bond.timeZone} />
          </span>
        )}
        <RiskTag level={bond.riskLevel} vocabulary={vocabulary} />
        {bond.blocked !== null && <span className="mark-blocked">Blocked</span>}
        <span className="quiet small">
          last seen <Instant at={bond.lastSeenAt} zone={bond.timeZone} />
        </span>
      </div>
      <Buttons bond={bond} acts={acts} ask={setAsking} />
      {bond.blocked !== null && <Blocked blocked={bond.blocked} timeZone={bond.timeZone} />}
      {asking === 'cap' && <CapDialog {...question} />}
      {asking === 'block' && <BlockDialog {...question} />}
      {asking === 'unblock' && <UnblockDialog {...question} />}
      {asking === 'correct' && <CorrectDialog {...question} vocabulary={vocabulary} />}
      {asking === 'evict' && <EvictDialog {...question} />}
      {asking === 'erase' && <EraseDialog {...question} />}
    </header>
  )
}

function Blocked(props: { blocked: NonNullable<Bond['blocked']>; timeZone: string | null }): ReactElement {
  const { blocked, timeZone } = props
  return (
    <p className="notice user-blocked">
      <strong>Blocked</strong> <Instant at={blocked.at} zone={timeZone} /> by {blocked.actor}: “{blocked.reason}”
      {blocked.until === null ? (
        ', until somebody lifts it.'
      ) : (
        <>
          , until <ExactInstant at={blocked.until} zone={timeZone} />.
        </>
      )}
    </p>
  )
}

function Buttons(props: { bond: Bond; acts: Acts; ask(asking: Asking): void }): ReactElement | null {
  const { bond, acts, ask } = props
  const mayOperate = useMay('operator')
  const mayErase = useMay('admin')
  const more = useId()

  async function verify(): Promise<void> {
    try {
      notify(verdictOf(await acts.verify()))
    } catch (error) {
      notify(`The log could not be checked: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  return (
    <div className="user-actions">
      {mayOperate && (
        <>
          <button type="button" className="button" onClick={() => ask('cap')}>
            Set cap
          </button>
          <button type="button" className="button" onClick={() => ask('correct')}>
            Correct
          </button>
          <button type="button" className="button" onClick={() => ask(bond.blocked === null ? 'block' : 'unblock')}>
            {bond.blocked === null ? 'Block' : 'Unblock'}
          </button>
        </>
      )}
      <button type="button" className="button" popoverTarget={more}>
        More
      </button>
      <div id={more} popover="auto" className="menu list-menu">
        <button type="button" popoverTarget={more} popoverTargetAction="hide" onClick={() => void verify()}>
          Verify the log
        </button>
        {mayOperate && (
          <>
            <a href={apiUrl(['users', bond.user, 'export']).href} download>
              Export everything
            </a>
            <button type="button" popoverTarget={more} popoverTargetAction="hide" onClick={() => ask('evict')}>
              Close live clients…
            </button>
          </>
        )}
        {mayErase && (
          <button
            type="button"
            className="grave"
            popoverTarget={more}
            popoverTargetAction="hide"
            onClick={() => ask('erase')}
          >
            Erase…
          </button>
        )}
      </div>
    </div>
  )
}
