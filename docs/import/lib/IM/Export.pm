package IM::Export;

# Conversations of the API as lines for load, by the calls that every client
# has.  Nothing is marked as read.

use strict;
use warnings;

use IM::HTTP;
use IM::JSON qw(decode_json encode_json string object);
use IM::Load;

my ($LIST, $PAGE, $USERS) = (200, 200, 500);
my ($MESSAGES, $BYTES) = (1000, 3_000_000);
my $CACHE = 5000;       # users whose unread counts are kept


# %o: url, conv [ids], user [ids], out, dry_run, patience, authorization

sub run {
    my (%o) = @_;
    my $self = bless { %o, people => {}, n => { map { $_ => 0 }
        qw(conversations messages profiles refused) } }, __PACKAGE__;

    $self->{http} = IM::HTTP->new(url => $o{url}, wait => 0.5, max_wait => 30,
        tries => 1e9, patience => $o{patience}, timeout => 60,
        final => sub { $_[0]{status} == 502 },
        headers => sub { length($o{authorization} // '')
                         ? (authorization => $o{authorization}) : () });

    my $part = length($o{out} // '') ? "$o{out}.part" : undef;
    $self->{to} = \*STDOUT;
    if (defined $part && !$o{dry_run}) {
        open $self->{to}, '>', $part or die "$part: $!\n";
    }
    binmode $self->{to};

    my %done;
    for my $user (@{ $o{user} || [] }) {
        $self->list($user, sub { $self->conv($_[0]{conv_id}, $_[0])
                                     if !$done{ $_[0]{conv_id} }++; 1 });
        $self->{people}{$user} = 1;
    }
    for my $id (@{ $o{conv} || [] }) {
        $self->conv($id) if !$done{$id}++;
    }
    $self->profiles;

    if (defined $part && !$o{dry_run}) {
        close $self->{to} or die "$part: $!\n";
        rename $part, $o{out} or die "$o{out}: $!\n";
    }

    my $n = $self->{n};
    print STDERR "$n->{conversations} conversations, $n->{messages} messages,"
        . " $n->{profiles} profiles\n";
    print STDERR "names of groups are not known: export from a location with"
        . " im_reply full\n" if $self->{nameless};
    return 0;
}


sub line {
    my ($self, $text) = @_;
    return if $self->{dry_run};
    print { $self->{to} } $text, "\n" or die "export: $!\n";
}


# the answer of a call; with codes that may be, also (undef, code)

sub call {
    my ($self, $path, $body, @codes) = @_;
    my $r = $self->{http}->request(POST => $path, undef, encode_json($body));
    my ($v) = eval { decode_json($r->{content}) };
    return $v if $r->{status} == 200 && ref $v;
    my $code = ref $v eq 'HASH' ? $v->{code} // '' : '';
    return (undef, $code) if grep { $_ eq $code } @codes;
    die "$path: " . IM::HTTP::reason($r) . "\n";
}


# the rows of a user's list, until the function returns false

sub list {
    my ($self, $user, $each, %more) = @_;
    my ($until, %seen);

    while (1) {
        my $rows = $self->call('conv/list', { from_id => $user, limit => $LIST, %more,
                                              defined $until ? (until => $until) : () });
        my @new = grep { !$seen{ $_->{conv_id} } } @$rows;

        # a page full of rows of one millisecond would hide what follows

        die "more than $LIST conversations of $user have the last_time $until\n"
            if !@new && @$rows == $LIST && $rows->[0]{last_time} == $until;
        for my $row (@new) {
            return if !$each->($row);
        }
        last if !@new || @$rows < $LIST;
        $until = $rows->[-1]{last_time};
        %seen = map { $_->{conv_id} => 1 } grep { $_->{last_time} == $until } @$rows;
    }
}


sub conv {
    my ($self, $id, $row) = @_;
    my ($members) = $self->call("group/$id/list", {}, 'not_group');
    my @order = map { $_->{id} } $members ? @$members
              : @{ $self->call("conv/$id/readers", {}) };

    # what only a list says

    if (!$row && @order) {
        $self->list($order[0], sub {
            $row = $_[0] if $_[0]{conv_id} eq $id;
            return !$row;
        });
    }
    my @users = $row ? @{ $row->{conv_users} } : @order;
    my @unread = map { $self->unread($_, $id) } @users;
    my $most = (sort { $b <=> $a } @unread)[0] // 0;

    my $head = object(conv_id => string($id), conv_type => $members ? 1 : 0,
        conv_users => encode_json(\@users),
        $members ? (owner_id => @order ? string($order[0]) : undef,
            map { my $v = $row ? $row->{$_} : undef;
                  ($_ => length($v // '') ? string($v) : undef) }
            qw(name img description)) : (),
        created => $members && $row && !length $row->{last_msg} && !$self->first($id)
            ? $row->{last_time} : undef,
        unread => $most ? 'true' : undef) =~ s/\}\z/,"messages":[/r;
    $self->{nameless} = 1 if $members && !($row && defined $row->{name});

    my ($count, $tail) = $self->messages($id, $head, $most);
    $self->{n}{conversations}++;
    $self->{people}{$_} = 1 for @users;

    # positions, aliases, the end of a group

    for my $i ($most ? 0 .. $#users : ()) {
        next if $unread[$i] >= $count;
        $self->line(object(call => string("conv/$id/read"), body => object(
            from_id => string($users[$i]), msg_id => string($tail->[-1 - $unread[$i]]))));
    }
    for (grep { length $_->{alias} } @{ $members || [] }) {
        $self->line(object(call => string("group/$id/alias"),
            body => object(id => string($_->{id}), alias => string($_->{alias}))));
    }
    if ($members && @order) {
        my (undef, $code) = $self->call('add/group/merber',
            { conv_id => $id, member => [] }, 'dismissed');
        $self->line(object(call => string("group/$id/dismiss"),
            body => object(from_id => string($order[0])))) if $code;
    }
}


sub first {
    my ($self, $id) = @_;
    return $self->call("conv/$id", { after => '', page_size => 1 })->[0];
}


# Batches of all messages, from the oldest; returns their number and the ids of
# the newest ones.

sub messages {
    my ($self, $id, $head, $most) = @_;
    my ($after, $count, $bytes, @batch, @tail) = ('', 0, 0);
    my $lines = 0;
    my $flush = sub {
        $self->line($head . join(',', splice @batch) . ']}');
        $lines++;
        $bytes = 0;
    };

    while (1) {
        my $page = $self->call("conv/$id", { after => $after, page_size => $PAGE });
        for my $m (reverse @$page) {
            my $json = object(msg_id => string($m->{msg_id}), msg_type => $m->{msg_type} + 0,
                msg => string($m->{msg}), from_id => string($m->{from_id}),
                from_time => $m->{from_time} + 0);
            $flush->() if @batch >= $MESSAGES || @batch && $bytes + length($json) > $BYTES;
            push @batch, $json;
            $bytes += length($json) + 1;
            $count++;
            $self->{people}{ $m->{from_id} } = 1;
            push @tail, $m->{msg_id};
            splice @tail, 0, @tail - $most - 1 if @tail > 2 * $most + 1000;
        }
        last if !@$page;
        $after = $page->[0]{msg_id};
    }

    $flush->() if @batch || !$lines;
    $self->{n}{messages} += $count;
    return ($count, \@tail);
}


sub unread {
    my ($self, $user, $id) = @_;
    my $cache = $self->{unread};
    $cache = $self->{unread} = {} if !$cache || keys %$cache > $CACHE;
    if (!$cache->{$user}) {
        my %count;
        $self->list($user, sub { $count{ $_[0]{conv_id} } = $_[0]{unread_count}; 1 },
                    only_unread => JSON_TRUE());
        $cache->{$user} = \%count;
    }
    return $cache->{$user}{$id} // 0;
}


sub JSON_TRUE { return \1 }


sub profiles {
    my ($self) = @_;
    my @ids = sort keys %{ $self->{people} };

    while (my @some = splice @ids, 0, $USERS) {
        my @set = map { object(id => string($_->{id}), name => string($_->{name}),
                               img => string($_->{img})) }
                  grep { length $_->{name} || length $_->{img} }
                  @{ $self->call('user/get', { ids => \@some }) };
        next if !@set;
        $self->{n}{profiles} += @set;
        $self->line(object(call => string('user/set'),
                           body => object(users => '[' . join(',', @set) . ']')));
    }
}


1;
