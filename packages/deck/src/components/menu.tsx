import './menu.css'
import { type ReactElement, type ReactNode, useId } from 'react'
import { Button } from './button.tsx'
import { Popover } from './popover.tsx'

/** A button and the actions below it. `children` gets the id of the menu, for its items. */
export function Menu(props: { label: string; size?: 'small'; children(menu: string): ReactNode }): ReactElement {
  const id = useId()
  return (
    <>
      <Button popoverTarget={id} {...(props.size === undefined ? {} : { size: props.size })}>
        {props.label}
      </Button>
      <Popover id={id} className="menu">
        {props.children(id)}
      </Popover>
    </>
  )
}

/** An action of a menu; it closes the menu. */
export function MenuItem(props: { menu: string; label: string; isDanger?: boolean; run(): void }): ReactElement {
  return (
    <button
      type="button"
      className={props.isDanger === true ? 'menu__item menu__item--danger' : 'menu__item'}
      popoverTarget={props.menu}
      popoverTargetAction="hide"
      onClick={props.run}
    >
      {props.label}
    </button>
  )
}
