"""From candidate to champion: registered versions, the gate, the ledger and the aliases."""
