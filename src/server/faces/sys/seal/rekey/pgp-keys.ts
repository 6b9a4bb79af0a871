import { Refusal } from '../../../../contracts/request.ts'

/** Shares and tokens go out bare: there is no OpenPGP here, and who asked for it must not get them unencrypted. Refusal 400. */
export function refusePgpKeys(pgpKeys: readonly string[]): void {
  if (pgpKeys.some((key) => key !== '')) {
    throw new Refusal(400, 'PGP keys are not supported by this server: leave pgp_keys and root_token_pgp_key out')
  }
}
