package Test::IM::Calls;

# The calls of the API in one line each, for tests in which they are the way
# and not the object: every one croaks when the answer is not 200.

use strict;
use warnings;

use Carp qw(croak);


sub call {
    my ($self, $path, $body, %opt) = @_;
    my $r = $self->post($path, $body, %opt)
        or croak "$path: connection closed";
    $r->status == 200 or croak "$path: " . $r->status . ' ' . $r->body;
    return $r;
}


# a message to a user; the response, for its conv_id, msg_id and msg_time
sub say {
    my ($self, $from, $to, $msg, %more) = @_;
    return $self->call('/im/send/msg', { from_id => $from, to_id => $to,
        msg => $msg, msg_type => 0, %more });
}


# a message into a conversation
sub say_in {
    my ($self, $from, $conv, $msg, %more) = @_;
    return $self->call('/im/send/msg', { from_id => $from, conv_id => $conv,
        msg => $msg, msg_type => 0, %more });
}


# a new group; its id
sub group {
    my ($self, $owner, $members, %more) = @_;
    return $self->call('/im/creat/group', { owner_id => $owner,
        name => 'a group', member => $members, %more })->conv_id;
}


sub add {
    my ($self, $conv, @members) = @_;
    return $self->call('/im/add/group/merber',
                       { conv_id => $conv, member => \@members });
}


sub profile {
    my ($self, $id, %more) = @_;
    return $self->call('/im/user/set', { users => [ { id => $id, %more } ] });
}


sub page {
    my ($self, $conv, %more) = @_;
    return $self->call("/im/conv/$conv", \%more)->json;
}


sub pair {
    my ($self, $from, $to, %more) = @_;
    return $self->call('/im/from/to',
                       { from_id => $from, to_id => $to, %more })->json;
}


sub list {
    my ($self, $user) = @_;
    return $self->call('/im/conv/list', { from_id => $user })->json;
}


sub members {
    my ($self, $conv) = @_;
    return $self->call("/im/group/$conv/list", {})->json;
}


sub unread {
    my ($self, $user) = @_;
    return $self->call('/im/unread', { from_id => $user })->json->{total};
}


# unread count of one conversation as the user's list has it
sub unread_in {
    my ($self, $user, $conv) = @_;
    my ($c) = grep { $_->{conv_id} eq $conv } @{ $self->list($user) };
    return $c && $c->{unread_count};
}


sub mark {
    my ($self, $user, $conv, @msg_id) = @_;
    return $self->call("/im/conv/$conv/read",
        { from_id => $user, map { (msg_id => $_) } @msg_id });
}


sub recall {
    my ($self, $user, $conv, $msg_id) = @_;
    return $self->call('/im/msg/recall', { from_id => $user, conv_id => $conv,
                                           msg_id => $msg_id });
}


sub hide {
    my ($self, $user, $conv) = @_;
    return $self->call("/im/conv/$conv/hide", { from_id => $user });
}


# [ user => msg_id, ... ] as they come
sub readers {
    my ($self, $conv, %more) = @_;
    return [ map { ($_->{id} => $_->{msg_id}) }
             @{ $self->call("/im/conv/$conv/readers", \%more)->json } ];
}


# texts of messages as they come
sub texts { shift; return [ map { $_->{msg} } @{ $_[0] } ] }


1;
