import './user-header.css'
import type { Bond } from 'purser'
import { type ReactElement, useId, useState } from 'react'
import { Link } from 'wouter'
import { apiUrl } from '../../api/client.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import { Button } from '../../components/button.tsx'
import { Callout } from '../../components/callout.tsx'
import { CopyButton } from '../../components/copy-button.tsx'
import { Popover } from '../../components/popover.tsx'
import { BlockedTag, PhaseTag, RiskTag } from '../../components/tags.tsx'
import { AbsoluteTime, ElapsedTime, RelativeTime } from '../../components/timestamps.tsx'
import { useCan } from '../../layout/session.ts'
import { useVerifyLog } from './use-user-mutations.ts'
import { BlockDialog, CapDialog, CorrectDialog, EraseDialog, EvictDialog, UnblockDialog } from './user-dialogs.tsx'

type DialogName = 'cap' | 'block' | 'unblock' | 'correct' | 'evict' | 'erase'

/** Id, phase, risk level and block of a user, and the actions on them. */
export function UserHeader({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const [dialog, setDialog] = useState<DialogName | null>(null)
  const dialogProps = { bond, close: () => setDialog(null) }
  return (
    <header className="user-header">
      <nav aria-label="Breadcrumb" className="user-header__breadcrumb">
        <Link href="/users">
          <span aria-hidden="true">← </span>Users
        </Link>
      </nav>
      <div className="user-header__title">
        <h1>
          <bdi>{bond.user}</bdi>
        </h1>
        <CopyButton text={bond.user} label="Copy the user id" />
      </div>
      <div className="user-header__status">
        <PhaseTag phase={bond.phase} vocabulary={vocabulary} />
        {bond.phaseEnteredAt !== null && (
          <span className="user-header__duration muted small">
            for <ElapsedTime since={bond.phaseEnteredAt} zone={bond.timeZone} />
          </span>
        )}
        <RiskTag level={bond.riskLevel} vocabulary={vocabulary} />
        {bond.blocked !== null && <BlockedTag />}
        <span className="muted small">
          last seen <RelativeTime at={bond.lastSeenAt} zone={bond.timeZone} />
        </span>
      </div>
      <Actions bond={bond} openDialog={setDialog} />
      {bond.blocked !== null && <BlockCallout block={bond.blocked} timeZone={bond.timeZone} />}
      {dialog === 'cap' && <CapDialog {...dialogProps} />}
      {dialog === 'block' && <BlockDialog {...dialogProps} />}
      {dialog === 'unblock' && <UnblockDialog {...dialogProps} />}
      {dialog === 'correct' && <CorrectDialog {...dialogProps} vocabulary={vocabulary} />}
      {dialog === 'evict' && <EvictDialog {...dialogProps} />}
      {dialog === 'erase' && <EraseDialog {...dialogProps} />}
    </header>
  )
}

function BlockCallout(props: { block: NonNullable<Bond['blocked']>; timeZone: string }): ReactElement {
  const { block, timeZone } = props
  return (
    <Callout className="user-header__block">
      <strong>Blocked</strong> <RelativeTime at={block.at} zone={timeZone} /> by {block.actor}: “{block.reason}”
      {block.until === null ? (
        ', until unblocked.'
      ) : (
        <>
          , until <AbsoluteTime at={block.until} zone={timeZone} />.
        </>
      )}
    </Callout>
  )
}

function Actions({ bond, openDialog }: { bond: Bond; openDialog(name: DialogName): void }): ReactElement {
  const canOperate = useCan('operator')
  return (
    <div className="user-header__actions">
      {canOperate && (
        <>
          <Button onClick={() => openDialog('cap')}>Set cap</Button>
          <Button onClick={() => openDialog('correct')}>Correct</Button>
          <Button onClick={() => openDialog(bond.blocked === null ? 'block' : 'unblock')}>
            {bond.blocked === null ? 'Block' : 'Unblock'}
          </Button>
        </>
      )}
      <MoreMenu user={bond.user} openDialog={openDialog} />
    </div>
  )
}

/** The less frequent actions. */
function MoreMenu({ user, openDialog }: { user: string; openDialog(name: DialogName): void }): ReactElement {
  const canOperate = useCan('operator')
  const canErase = useCan('admin')
  const verifyLog = useVerifyLog(user)
  const id = useId()
  const closesMenu = { popoverTarget: id, popoverTargetAction: 'hide' } as const
  return (
    <>
      <Button popoverTarget={id}>More</Button>
      <Popover id={id} className="action-menu">
        <button type="button" className="action-menu__item" {...closesMenu} onClick={() => verifyLog.mutate()}>
          Verify the event log
        </button>
        {canOperate && (
          <>
            <a className="action-menu__item" href={apiUrl(['users', user, 'export']).href} download>
              Export all data
            </a>
            <button type="button" className="action-menu__item" {...closesMenu} onClick={() => openDialog('evict')}>
              Close live clients…
            </button>
          </>
        )}
        {canErase && (
          <button
            type="button"
            className="action-menu__item action-menu__item--danger"
            {...closesMenu}
            onClick={() => openDialog('erase')}
          >
            Erase…
          </button>
        )}
      </Popover>
    </>
  )
}
