package IM::Report;

# Counts that add up: every row that was read has become one thing.

use strict;
use warnings;

use IM::JSON;

my @PARTS = (
    [ tables => 'Rows of tables' ],
    [ conversations => 'Conversations' ],
    [ messages => 'Messages' ],
    [ kinds => 'Messages mapped, by kind' ],
    [ lost => 'No place in the new system' ],
    [ renamed => 'Changed ids' ],
    [ changed => 'Changed between pulls' ],
    [ walks => 'Messages by walk' ],
    [ users => 'Users' ],
    [ unread => 'Unread counts' ],
    [ largest => 'Largest' ],
);


sub new { return bless { map { $_->[0] => {} } @PARTS }, shift }

sub count {
    my ($self, $part, $what, $n) = @_;
    $self->{$part}{$what} += $n // 1;
    return;
}


sub largest {
    my ($self, $what, $n) = @_;
    $self->{largest}{$what} = $n if $n > ($self->{largest}{$what} // 0);
}


sub get { return $_[0]{ $_[1] }{ $_[2] } // 0 }


# rows = mapped + superseded + skipped

sub sums {
    my ($self, $part, @mapped) = @_;
    my $c = $self->{$part};
    my $sum = 0;
    $sum += $c->{$_} // 0 for @mapped, grep { /^(?:skipped|superseded)/ } keys %$c;
    return ($c->{rows} // 0, $sum);
}


sub adds_up {
    my ($self) = @_;
    my ($rows, $sum) = $self->sums('messages', 'mapped');
    my ($convs, $conv_sum) = $self->sums('conversations', 'groups', '1:1');
    return $rows == $sum && $convs == $conv_sum;
}


sub json {
    my ($self) = @_;
    return IM::JSON::encode_json({ %$self, adds_up => $self->adds_up ? 1 : 0 });
}


sub text {
    my ($self) = @_;
    my $out = '';
    for (@PARTS) {
        my ($part, $title) = @$_;
        my $c = $self->{$part};
        next if !%$c;
        $out .= "$title\n";
        $out .= sprintf "%12d  %s\n", $c->{$_}, $_
            for sort { ($b eq 'rows') <=> ($a eq 'rows') || $a cmp $b } keys %$c;
        $out .= "\n";
    }
    my ($rows, $sum) = $self->sums('messages', 'mapped');
    my ($convs, $conv_sum) = $self->sums('conversations', 'groups', '1:1');
    return $out . ($self->adds_up
        ? "All rows are accounted for: $rows messages, $convs conversations.\n"
        : "THE COUNTS DO NOT ADD UP: $rows rows of messages, $sum accounted for;"
          . " $convs of conversations, $conv_sum.\n");
}


1;
