import './user-header.css'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { apiUrl } from '../../api/client.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { BlockSentence } from '../../components/block-sentence.tsx'
import { Button } from '../../components/button.tsx'
import { Callout } from '../../components/callout.tsx'
import { CopyButton } from '../../components/copy-button.tsx'
import { Menu, MenuItem } from '../../components/menu.tsx'
import { StateSentence } from '../../components/state-sentence.tsx'
import { BlockedTag } from '../../components/tags.tsx'
import { useCan } from '../../layout/session.ts'
import { useForgetAnswers, useInvalidateContext, useVerifyLog } from './use-user-mutations.ts'
import {
  BlockDialog,
  CapDialog,
  CorrectDialog,
  EraseDialog,
  EvictDialog,
  TimeZoneDialog,
  UnblockDialog,
} from './user-dialogs.tsx'

type DialogName = 'cap' | 'block' | 'unblock' | 'correct' | 'zone' | 'evict' | 'erase'

/** Id and state of a user in one sentence, and the actions. */
export function UserHeader(props: { bond: Bond; vocabulary: Vocabulary; riskSince: string | null }): ReactElement {
  const { bond, vocabulary } = props
  // In the address, so that the command palette can open a dialog.
  const [dialog, setDialog] = useSearchParam('do')
  const isAllowed = useCan(dialog === 'erase' ? 'admin' : 'operator')
  const dialogProps = { bond, close: () => setDialog('') }
  return (
    <header className="user-header">
      <nav aria-label="Breadcrumb" className="user-header__breadcrumb">
        <Link href="/users">
          <span aria-hidden="true">← </span>Users
        </Link>
      </nav>
      <div className="user-header__title">
        <h1 title={bond.user}>
          <bdi>{bond.user}</bdi>
        </h1>
        {bond.blocked !== null && <BlockedTag />}
        <CopyButton text={bond.user} label="Copy the user id" />
      </div>
      <StateSentence {...props} />
      <Actions bond={bond} openDialog={setDialog} />
      {bond.blocked !== null && (
        <Callout className="user-header__block">
          <BlockSentence block={bond.blocked} timeZone={bond.timeZone} />
        </Callout>
      )}
      {isAllowed && <UserDialog name={dialog} {...dialogProps} vocabulary={vocabulary} />}
    </header>
  )
}

function UserDialog(props: { name: string; bond: Bond; vocabulary: Vocabulary; close(): void }): ReactElement | null {
  const { name, vocabulary, ...dialogProps } = props
  switch (name) {
    case 'cap':
      return <CapDialog {...dialogProps} />
    case 'block':
      return <BlockDialog {...dialogProps} />
    case 'unblock':
      return <UnblockDialog {...dialogProps} />
    case 'correct':
      return <CorrectDialog {...dialogProps} vocabulary={vocabulary} />
    case 'zone':
      return <TimeZoneDialog {...dialogProps} />
    case 'evict':
      return <EvictDialog {...dialogProps} />
    case 'erase':
      return <EraseDialog {...dialogProps} />
    default:
      return null
  }
}

function Actions({ bond, openDialog }: { bond: Bond; openDialog(name: DialogName): void }): ReactElement {
  const canOperate = useCan('operator')
  const blockDialog = bond.blocked === null ? 'block' : 'unblock'
  useShortcuts(canOperate ? { b: () => openDialog(blockDialog), c: () => openDialog('cap') } : {})
  return (
    <div className="user-header__actions">
      {!canOperate && <span className="muted small">Your key may only read</span>}
      {canOperate && (
        <>
          <Button onClick={() => openDialog('cap')}>Change daily cap</Button>
          <Button onClick={() => openDialog('correct')}>Correct</Button>
          <Button onClick={() => openDialog(blockDialog)}>{bond.blocked === null ? 'Block' : 'Unblock'}</Button>
        </>
      )}
      <MoreMenu bond={bond} openDialog={openDialog} />
    </div>
  )
}

/** The less frequent actions. */
function MoreMenu({ bond, openDialog }: { bond: Bond; openDialog(name: DialogName): void }): ReactElement {
  const canOperate = useCan('operator')
  const isAdmin = useCan('admin')
  const verifyLog = useVerifyLog(bond.user)
  const invalidate = useInvalidateContext(bond)
  const forget = useForgetAnswers(bond)
  return (
    <Menu label="More">
      {(menu) => (
        <>
          <MenuItem menu={menu} label="Verify the event log" run={() => verifyLog.mutate()} />
          {canOperate && (
            <>
              <a className="menu__item" href={apiUrl('/api/users/{id}/export', { id: bond.user }).href} download>
                Export all data
              </a>
              <MenuItem menu={menu} label="Set the time zone…" run={() => openDialog('zone')} />
              <MenuItem menu={menu} label="Close live clients…" run={() => openDialog('evict')} />
            </>
          )}
          {isAdmin && (
            <>
              <MenuItem menu={menu} label="Drop the loaded context" run={() => invalidate.mutate()} />
              <MenuItem menu={menu} label="Forget cached answers" run={() => forget.mutate()} />
              <MenuItem menu={menu} label="Erase…" isDanger run={() => openDialog('erase')} />
            </>
          )}
        </>
      )}
    </Menu>
  )
}
