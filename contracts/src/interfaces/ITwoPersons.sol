// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Acts that take two registrars
/// @notice One registrar proposes an act, another one confirms it; both are accounts with `REGISTRAR_ROLE`. There is no
/// admin: registrars are appointed and dismissed by such acts too, and there are never fewer than two.
/// @dev An act is proposed as the bytes `abi.encode(selector, arguments...)` of the function that performs it, without its
/// last argument, which is the proposer. The event shows them in full; the function builds them again. Proposals are kept
/// per proposer, so nobody can occupy or withdraw somebody else's, and the rights of both are checked when it is
/// confirmed. What an act says it does at most once is for that act to refuse a second time.
/// WARNING: two registrars together can do everything here, and one of two can stop everything. Appoint three or more.
interface ITwoPersons {
    /// @notice The zero address can confirm nothing.
    error TwoPersonsInvalidAccount(address account);

    /// @notice An act is empty or longer than 2,048 bytes.
    error TwoPersonsInvalidActLength(uint256 length);

    /// @notice The same person has already proposed this act, and it is open until then, in seconds.
    error TwoPersonsAlreadyProposed(bytes32 actHash, address proposer, uint64 expiresAt);

    /// @notice This person has not proposed this act, has withdrawn it, or it has been confirmed.
    error TwoPersonsNotProposed(bytes32 actHash, address proposer);

    /// @notice The proposal was open until this block time, in seconds.
    error TwoPersonsProposalExpired(bytes32 actHash, address proposer, uint64 expiresAt);

    /// @notice The person who proposes cannot confirm.
    error TwoPersonsSamePerson(address account);

    /// @notice Somebody who proposed is a registrar no longer.
    error TwoPersonsNotRegistrar(address account);

    /// @notice The account is a registrar already.
    error TwoPersonsAlreadyRegistrar(address account);

    /// @notice Two registrars must remain.
    error TwoPersonsTooFewRegistrars(uint256 count);

    /// @notice An act was proposed; it can be confirmed in blocks before `expiresAt`, in seconds.
    event ActProposed(bytes32 indexed actHash, address indexed proposer, bytes act, uint64 expiresAt);

    /// @notice A proposal was withdrawn by its proposer.
    event ProposalWithdrawn(bytes32 indexed actHash, address indexed proposer);

    /// @notice An act was confirmed; what it changed is in the event after this one.
    event ActConfirmed(bytes32 indexed actHash, address indexed proposer, address indexed confirmer);

    /// @notice Proposes an act, open for seven days. Registrars only.
    /// @param act The act's bytes, see above.
    /// @return actHash keccak256 of them.
    function propose(bytes calldata act) external returns (bytes32 actHash);

    /// @notice Withdraws one's own proposal, open or expired.
    function withdrawProposal(bytes32 actHash) external;

    /// @notice Confirms that an account becomes a registrar.
    function appointRegistrar(address account, address proposer) external;

    /// @notice Confirms that an account is a registrar no longer. Two must remain.
    function dismissRegistrar(address account, address proposer) external;

    /// @notice Number of registrars.
    function registrarCount() external view returns (uint256);

    /// @notice Until when a proposal is open, seconds; zero when there is none.
    function expiryOf(bytes32 actHash, address proposer) external view returns (uint64 expiresAt);
}
