/** Requests that take something from somebody, also by changing what they may do. */
const takings: readonly { readonly operations: readonly string[]; readonly path: RegExp }[] = [
  { operations: ['update'], path: /^auth\/token\/revoke(-self|-accessor|-orphan)?$/ },
  { operations: ['update'], path: /^sys\/(leases\/)?revoke(-prefix|-force)?(\/|$)/ },
  { operations: ['update'], path: /^sys\/namespaces\/api-lock\/lock(\/|$)/ },
  { operations: ['delete'], path: /^(sys\/(mounts|auth|policy|policies|namespaces)|auth|identity)\// },
  { operations: ['update', 'patch'], path: /^(sys\/(policy|policies\/acl)|identity\/(entity|group|mfa))(\/|$)/ },
  { operations: ['update'], path: /^auth\/.+\/secret-id(-accessor)?\/destroy$/ },
  // Of engines that issue certificates or lend otherwise.
  { operations: ['update'], path: /^(?!sys\/|auth\/|identity\/).+\/revoke(-with-key)?$/ },
]

/** What the path says; whether it was permitted and done is for the caller to look at. */
export const isRevocation = (operation: string, path: string): boolean =>
  takings.some((taking) => taking.operations.includes(operation) && taking.path.test(path))
