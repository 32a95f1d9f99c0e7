package IM::Map;

# The second step: exported tables and stored pages become batches of
# /im/import.  All that may be large is sorted on disk; the order of the steps
# is that of run().
#
#     OUT/users.jsonl           names and pictures, as calls of user/set
#     OUT/batches.jsonl         one batch a line, a conversation's in order
#     OUT/recalls.jsonl         messages recalled since an earlier pull, as calls
#                               of msg/recall
#     OUT/conversations.jsonl   what became of each conversation
#     OUT/skipped.jsonl         each message that is not in a batch, and why
#     OUT/files.jsonl           the files that messages refer to
#     OUT/report.json           the counts

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use File::Path qw(make_path);
use File::Temp ();
use Time::Local qw(timegm);

use IM::JSON qw(decode_json encode_json string object clean);
use IM::Message;
use IM::Pages;
use IM::Report;
use IM::Sort qw(escape unescape);
use IM::Tables;

my $MEMBERS = 10000;        # im_group_max_members at most
my $TAIL = 5000;            # messages looked through for an unread count
my $NAME = 128;             # bytes of a group's name
my ($USER_NAME, $IMG, $DESCRIPTION) = (256, 4096, 8192);

my $CONV_ID = qr/^(?!\.\.?\z)[A-Za-z0-9_\-.:@]{1,64}\z/;
my $USER_ID = qr/^(?!\.\.?\z)[A-Za-z0-9_\-.:@+=|~\/!*]{1,64}\z/;


sub run {
    my (%o) = @_;
    my $self = bless { %o, report => IM::Report->new }, __PACKAGE__;
    my $tmp = File::Temp->newdir('im-map-XXXXXXXX',
                                 DIR => $o{tmp} // $ENV{TMPDIR} // '/tmp');

    $self->{tmp} = "$tmp";
    make_path($self->{out}) if !$o{dry_run};

    $self->sorter(raw => '1,1', '2,2', '3,3r');
    $self->read_tables;
    $self->read_unread;
    $self->read_pages;
    $self->{$_}->finish for qw(raw convs);
    $self->latest;
    $self->decide;
    $self->write_batches;
    $self->write_users;

    my $r = $self->{report};
    if (!$o{dry_run}) {
        $self->output('report.json');
        print { $self->{to}{'report.json'} } $r->json, "\n";
        for my $name (sort keys %{ $self->{to} }) {
            close $self->{to}{$name} or die "$name: $!\n";
            rename "$self->{out}/$name.part", "$self->{out}/$name"
                or die "$name: $!\n";
        }
    }
    print $r->text;
    return $r->adds_up ? 0 : 1;
}


sub output {
    my ($self, $name) = @_;
    my $file = $self->{dry_run} ? '/dev/null' : "$self->{out}/$name.part";
    open $self->{to}{$name}, '>:raw', $file or die "$file: $!\n";
    return $self->{to}{$name};
}


sub sorter {
    my ($self, $name, @keys) = @_;
    return $self->{$name} = IM::Sort->new(dir => $self->{tmp}, name => $name,
                                          keys => [ @keys ]);
}


# --- what is read

sub read_tables {
    my ($self) = @_;
    my $r = $self->{report};
    my $order = 0;

    $self->sorter(convs => '1,1', '2,2r', '3,3r');
    $self->sorter(users => '1,1', '2,2', '3,3r');
    $self->sorter($_ => '1,1') for qw(files owners);

    my $next = IM::Tables::rows([ IM::Tables::files($self->{dir}, $self->{tables}) ]);
    while (my ($row, $repaired, $class) = $next->()) {
        $class //= 'unknown';
        $r->count(tables => $class);
        if (!$row) { $r->count(tables => "$class: not JSON objects"); next }

        if ($class eq '_Conversation') { $self->conv_row($row, $order++) }
        elsif ($class eq '_User') { $self->user_row($row) }
        elsif ($class eq '_File') {
            my ($id, $key) = @$row{qw(objectId key)};
            $self->{files}->add(escape($id), escape($key))
                if length($id // '') && length($key // '');
        }
        elsif ($class eq '_ConversationMemberInfo') {
            my ($conv, $client, $role) = @$row{qw(cid clientId role)};
            $r->count(lost => 'roles') if ($role // '') ne 'Member';
            $self->{owners}->add(escape($conv), escape($client))
                if ($role // '') eq 'Owner' && defined $conv && defined $client;
        } elsif ($class eq '_SysMessage') {
            my $conv = ref $row->{conv} eq 'HASH' ? $row->{conv}{objectId} : undef;
            my $place = sprintf '00003%016d', $order++;
            $self->message_row({ %$row, to => ($conv // '') . '/' . ($row->{from} // ''),
                                 'msg-id' => $row->{msgId} // $row->{objectId} },
                               $place, $place);
        }
    }

    $self->{$_}->finish for qw(users files owners);
}


sub conv_row {
    my ($self, $row, $order) = @_;
    my $r = $self->{report};
    my $id = $row->{objectId};

    $r->count(conversations => 'rows');
    return $r->count(conversations => 'skipped: id') if ref $id || ($id // '') !~ $CONV_ID;

    my (%seen, @members);
    for my $m (ref $row->{m} eq 'ARRAY' ? @{ $row->{m} } : ()) {
        next if ref $m || !defined $m || $seen{$m}++;
        if ($m !~ $USER_ID) { $r->count(lost => 'members: id'); next }
        push @members, "$m";
    }

    my $marker = dig($row, $self->{group_marker});
    $self->{convs}->add(escape($id), $row->{updatedAt} // '', sprintf('%010d', $order),
        encode_json({
            members => \@members, owner => "" . ($row->{c} // ''),
            time => iso($row->{lm}) // iso($row->{updatedAt}) // 0,
            created => iso($row->{createdAt}),
            unique => $row->{unique} ? 1 : 0, tr => $row->{tr} ? 1 : 0,
            sys => $row->{sys} ? 1 : 0,
            marked => ref $marker || $marker && $marker ne 'false' ? 1 : 0,
            name => plain_text($row->{name}),
            img => plain_text(dig($row, $self->{group_img})),
            description => plain_text(dig($row, $self->{group_description})),
        }));
    $r->count(lost => 'muted members') if ref $row->{mu} eq 'ARRAY' && @{ $row->{mu} };
}


# A user under every name that may be a client id: the objectId goes before the
# username, and that before the column of --user-id.

sub user_row {
    my ($self, $row) = @_;
    my $img = dig($row, $self->{user_img});

    $img = $self->file_url($img->{id}) // $img->{url}
        if ref $img eq 'HASH' && ($img->{__type} // '') eq 'File';
    my $name = plain_text(dig($row, $self->{user_name}));
    $img = plain_text($img);
    return if !defined $name && !defined $img;

    my $json = encode_json({ name => $name, img => $img });
    my @ids = ($row->{objectId}, $row->{username}, dig($row, $self->{user_id}));
    for my $i (0 .. $#ids) {
        my $id = $ids[$i];
        $self->{users}->add(escape("$id"), $i, $row->{updatedAt} // '', $json)
            if defined $id && !ref $id && $id =~ $USER_ID;
    }
}


sub read_unread {
    my ($self) = @_;
    return if !defined $self->{unread_file};

    my $unread = $self->sorter(unread => '1,1');
    open my $fh, '<:raw', $self->{unread_file} or die "$self->{unread_file}: $!\n";
    while (my $line = <$fh>) {
        my ($row) = eval { decode_json($line) };
        my ($conv, $client, $count) = ref $row eq 'HASH'
            ? @$row{qw(conv_id client_id count)} : ();
        die "$self->{unread_file} line $.: conv_id, client_id and count are needed\n"
            if !defined $conv || !defined $client || ($count // '') !~ /^\d+$/;
        $unread->add(escape($conv), escape($client), $count);
        $self->{report}->count(unread => 'rows');
        $self->{report}->count(unread => 'rows of 100, which may be more') if $count == 100;
    }
    $unread->finish;
}


sub read_pages {
    my ($self) = @_;
    my $next = IM::Pages::rows($self->{dir}, $self->{pages});
    while (my ($row, $repaired, $version, $rank) = $next->()) {
        $self->message_row($row, $version, $rank);
        $self->{report}->count(lost => 'repaired rows') if $repaired;
    }
}


sub message_row {
    my ($self, $row, $version, $rank) = @_;
    my ($to, $id, $time, $from) = ref $row eq 'HASH'
        ? @$row{qw(to msg-id timestamp from)} : ();

    $self->{report}->count(messages => 'rows');

    # conv-id is a key of the service; of a conversation it begins with its id

    $to = $1 if !length($to // '') && ref $row eq 'HASH'
                && ($row->{'conv-id'} // '') =~ /^([0-9a-f]{24})00000000$/;

    my $why = ref $row ne 'HASH' ? 'not a JSON object'
            : (grep { ref || !length($_ // '') } $to, $id, $from) ? 'field missing'
            : ($time // '') !~ /^[1-9]\d{12}$/ ? 'timestamp'
            : length(escape($id)) > 128 ? 'msg-id'
            : undef;
    ($to, $from, $why) = $self->system_row($to, $from, $time)
        if !defined $why && $to =~ m{/};
    return $self->skip($to, $id, $time, $why) if defined $why;

    $self->{raw}->add(escape($to), escape($id), $version, $rank, $time, escape($from),
                      $row->{bin} ? 1 : 0, encode_json($row->{data}));
}


# A message between a system conversation and a subscriber: a 1:1 of the two,
# under the id that the API computes.

sub system_row {
    my ($self, $to, $from, $time) = @_;
    my ($conv, $client) = split m{/}, $to, 2;

    return ($conv, $from, 'system conversation') if $self->{system} ne 'pairs';
    return ($conv, $from, 'subscriber is not an id that the API takes')
        if $conv !~ $CONV_ID || $client !~ $USER_ID || $conv eq $client;

    my $id = substr sha1_hex(join ' ', sort $conv, $client), 0, 24;
    $self->{convs}->add($id, '', '0', encode_json({
        members => [ $conv, $client ], unique => 1, time => $time, system => 1 }));
    return ($id, $from eq $client ? $client : $conv, undef);
}


# Of each message the latest version, sorted by time and, within a millisecond,
# by the order received.

sub latest {
    my ($self) = @_;
    my $rows = $self->{raw};
    my $sorted = $self->sorter(messages => '1,1', '2,2', '3,3');

    $self->output('recalls.jsonl');

    while (my $first = $rows->take) {
        my @group = ($first);
        push @group, $rows->take
            while $rows->peek && $rows->peek->[0] eq $first->[0]
                  && $rows->peek->[1] eq $first->[1];
        my $seen = 0;
        my @kept;
        for my $row (@group) {
            my ($to, $id, $version, $rank, $time, $from, $bin, $data) = @$row;
            my ($same) = grep { $_->{time} == $time } @kept;
            my $walk = substr $version, 0, 5;
            $seen |= 1 << substr $version, 4, 1;

            # one id, two times in one walk: these are two messages

            if (@kept && ($same || $kept[0]{walk} ne $walk)) {
                my $edit = !$same || $same->{data} ne $data;
                $self->{report}->count(messages => $edit
                    ? 'superseded: with another content' : 'superseded: the same');
                $self->skipped($to, $id, $time, 'superseded') if $edit;
                $self->recall($to, $id, $from)
                    if $same && is_recalled($same->{data}) && !is_recalled($data);
                next;
            }
            push @kept, { time => $time, data => $data, walk => $walk,
                          more => [ $from, $bin, $data ], rank => $rank };
        }

        my $n = 0;
        for my $m (sort { $a->{time} <=> $b->{time} } @kept) {
            my $id = $n++ ? "$first->[1]~$m->{time}" : $first->[1];
            $sorted->add($first->[0], $m->{time}, $m->{rank}, $id,
                         @{ $m->{more} });
        }
        $self->{report}->count(renamed => 'msg-id of two messages: ~TIME added',
                               @kept - 1) if @kept > 1;
        $self->{report}->count(walks => ('of system conversations',
            'seen by the walk of the app only', 'seen by walks of conversations only',
            'seen by both')[$seen & 3]);
    }

    unlink $rows->{file};
    $sorted->finish;
}


# A message that an earlier pull had with its text: where that was loaded, the
# text is still there.

sub recall {
    my ($self, $to, $id, $from) = @_;
    print { $self->{to}{'recalls.jsonl'} } object(call => string('msg/recall'),
        body => object(conv_id => string(unescape($to)), msg_id => string(unescape($id)),
                       from_id => string(unescape($from)))), "\n";
    $self->{report}->count(changed => 'recalled since an earlier pull: recalls.jsonl');
}


sub is_recalled {
    my ($json) = @_;
    return 0 if index($json, '-127') < 0;
    my ($data) = decode_json($json);
    return (IM::Message->new->map({ data => $data }))[3] eq 'recalled' ? 1 : 0;
}


# --- what each conversation becomes

sub decide {
    my ($self) = @_;
    my ($convs, $messages) = @$self{qw(convs messages)};
    my $pairs = $self->sorter(pairs => '1,1', '2,2', '3,3r', '4,4');
    my $clients = IM::Sort->new(dir => $self->{tmp}, name => 'clients', unique => 1);

    open my $to, '>:raw', "$self->{tmp}/decided" or die "decided: $!\n";

    while (my $row = $convs->take) {
        my ($id, undef, undef, $json) = @$row;
        my ($conv) = decode_json($json);
        my %member = map { $_ => 1 } @{ $conv->{members} };
        my (%sender, @senders);

        $self->{report}->count(conversations => 'rows') if $conv->{system};
        while ($convs->peek && $convs->peek->[0] eq $id) {
            $convs->take;
            $self->{report}->count(conversations => 'superseded') if !$conv->{system};
        }

        $messages->take while $messages->peek && $messages->peek->[0] lt $id;
        while ($messages->peek && $messages->peek->[0] eq $id) {
            my $from = unescape($messages->take->[4]);
            next if $sender{$from} || $from !~ $USER_ID;
            $sender{$from} = 1;
            push @senders, $from if @senders < $MEMBERS;
        }

        $self->kind($conv, \@senders, grep { !$member{$_} } @senders);
        if (!defined $conv->{skip}) {
            $clients->add(escape($_)) for @{ $conv->{members} }, @senders;
            $pairs->add(join(' ', sort map { escape($_) } @{ $conv->{members} }),
                        $conv->{unique} ? 0 : 1, sprintf('%015d', $conv->{time}), $id)
                if $conv->{type} == 0;
        }
        print {$to} $id, "\t", encode_json($conv), "\n" or die "decided: $!\n";
    }

    close $to or die "decided: $!\n";
    $messages->rewind;
    $clients->finish;
    $self->{clients} = $clients;

    # of the conversations of one pair only one can be 1:1

    $pairs->finish;
    my $others = $self->sorter(others => '1,1');
    my $last = '';
    while (my $row = $pairs->next) {
        $others->add($row->[3]) if $row->[0] eq $last;
        $last = $row->[0];
    }
    $others->finish;
}


# type 0 or 1, or the reason to skip it

sub kind {
    my ($self, $conv, $senders, @strangers) = @_;
    my $rule = $self->{two_members};

    return $conv->{skip} = 'system conversation' if $conv->{sys};
    if ($conv->{tr}) {
        return $conv->{skip} = 'chat room' if $self->{rooms} ne 'senders';
        $conv->{members} = $senders;
    }
    if (!@{ $conv->{members} }) {
        return $conv->{skip} = 'no members'
            if $self->{no_members} ne 'senders' || !@$senders;
        $conv->{members} = $senders;
    }

    $conv->{type} = 1;
    return if @{ $conv->{members} } != 2 || @strangers || $conv->{tr};
    $conv->{type} = 0
        if $conv->{unique} || $rule eq 'pair'
           || $rule eq 'auto' && !defined $conv->{name} && !$conv->{marked};
}


# --- what is written

sub write_batches {
    my ($self) = @_;
    my $messages = $self->{messages};
    my $others = $self->{others};

    $self->output($_) for qw(batches.jsonl conversations.jsonl files.jsonl);
    $self->{to}{'skipped.jsonl'} || $self->output('skipped.jsonl');
    $self->{mapper} = IM::Message->new(%{ $self->{message} },
        files => sub { my ($f) = $self->{files}->find(escape($_[0]));
                       return $f && unescape($f->[1]) });

    open my $from, '<:raw', "$self->{tmp}/decided" or die "decided: $!\n";
    while (my $line = <$from>) {
        chomp $line;
        my ($id, $json) = split /\t/, $line, 2;
        my ($conv) = decode_json($json);

        $others->take while $others->peek && $others->peek->[0] lt $id;
        $conv->{type} = 1 if $others->peek && $others->peek->[0] eq $id;

        $self->orphans while $messages->peek && $messages->peek->[0] lt $id;
        $self->write_conv(unescape($id), $id, $conv);
    }
    $self->orphans while $messages->peek;
}


# messages of a conversation that no table has

sub orphans {
    my ($self) = @_;
    my $messages = $self->{messages};
    my $id = $messages->peek->[0];
    my $n = $self->skip_all($id, 'no row in _Conversation');
    $self->{report}->count(conversations => 'without a row');
    print { $self->{to}{'conversations.jsonl'} }
        object(conv_id => string(unescape($id)), rows => $n,
               skipped => string('no row in _Conversation')), "\n";
}


sub skip_all {
    my ($self, $id, $why) = @_;
    my $messages = $self->{messages};
    my $n = 0;
    while ($messages->peek && $messages->peek->[0] eq $id) {
        my $row = $messages->take;
        $self->skip(unescape($id), unescape($row->[3]), $row->[1], $why);
        $n++;
    }
    return $n;
}


sub write_conv {
    my ($self, $id, $key, $conv) = @_;
    my ($r, $messages) = @$self{qw(report messages)};
    my $to = $self->{to}{'batches.jsonl'};
    my (%skipped, @batch, @tail);
    my ($rows, $mapped, $bytes, $batches) = (0, 0, 0, 0);

    if (!defined $conv->{skip} && !$conv->{type} && !$self->{empty_pairs}
        && !($messages->peek && $messages->peek->[0] eq $key))
    {
        $conv->{skip} = '1:1 without messages';
    }
    if (defined $conv->{skip}) {
        $r->count(conversations => "skipped: $conv->{skip}");
        $rows = $self->skip_all($key, $conv->{skip});
        print { $self->{to}{'conversations.jsonl'} }
            object(conv_id => string($id), rows => $rows,
                   skipped => string($conv->{skip})), "\n";
        return;
    }

    my @unread = $self->{unread} ? $self->{unread}->find($key) : ();
    my $head = $self->head($id, $key, $conv, @unread > 0);
    my $flush = sub {
        print {$to} $head, join(',', @batch), "]}\n" or die "batches.jsonl: $!\n";
        $batches++;
        @batch = ();
        $bytes = 0;
    };

    while ($messages->peek && $messages->peek->[0] eq $key) {
        my ($json, $why) = $self->message($id, $messages->take);
        $rows++;
        if (!defined $json) { $skipped{$why}++; next }
        $mapped++;
        $flush->() if @batch >= $self->{batch_messages}
                      || @batch && $bytes + length($json) > $self->{batch_bytes};
        push @batch, $json;
        $bytes += length($json) + 1;
        if (@unread) {
            push @tail, $why;
            splice @tail, 0, @tail - $TAIL if @tail > 2 * $TAIL;
        }
    }
    $flush->() if @batch || !$batches;

    $self->write_reads($id, $conv, \@tail, @unread) if @unread;
    $r->count(conversations => $conv->{type} ? 'groups' : '1:1');
    $r->largest('members of a conversation', scalar @{ $conv->{members} });
    print { $self->{to}{'conversations.jsonl'} }
        object(conv_id => string($id), conv_type => $conv->{type}, rows => $rows,
               mapped => $mapped, skipped => encode_json(\%skipped)), "\n";
}


# one message as JSON and [ msg_id, from_id ], or undef and the reason

sub message {
    my ($self, $conv, $row) = @_;
    my (undef, $time, undef, $id, $from, $bin, $json) = @$row;
    my ($data) = decode_json($json);
    my $r = $self->{report};

    ($id, $from) = (unescape($id), unescape($from));
    $time += 0;

    my ($type, $msg, $lost, $kind) =
          $time >= $self->{before} ? (undef, 'not before --before')
        : $from !~ $USER_ID ? (undef, 'from is not an id that the API takes')
        : $self->{mapper}->map({ data => $data, bin => $bin });
    if (!defined $type) {
        $self->skip($conv, $id, $time, $msg);
        return (undef, $msg);
    }

    $r->count(messages => 'mapped');
    $r->count(kinds => $kind);
    $r->count(lost => $_) for @$lost;
    print { $self->{to}{'files.jsonl'} }
        object(conv_id => string($conv), msg_id => string($id), url => string($msg)), "\n"
        if $type;

    return (object(msg_id => string($id), msg_type => $type, msg => string($msg),
                   from_id => string($from), from_time => $time), [ $id, $from ]);
}


# a batch up to its messages

sub head {
    my ($self, $id, $key, $conv, $unread) = @_;
    my @members = @{ $conv->{members} };
    my @group;

    if ($conv->{type}) {
        my ($info) = $self->{owners}->find($key);
        my ($owner) = grep { my $o = $_; length && grep { $_ eq $o } @members }
                      $conv->{owner}, $info ? unescape($info->[1]) : ();
        my ($img, $description) = @$conv{qw(img description)};
        if (length($img // '') && bytes($img) > $IMG) {
            $self->{report}->count(lost => 'picture of a group: too long');
            $img = undef;
        }
        @group = (owner_id => string($owner // $members[0]),
                  name => string($self->group_name($conv)),
                  img => length($img // '') ? string($img) : undef,
                  description => length($description // '')
                      ? string($self->cut($description, $DESCRIPTION)) : undef);
    } else {
        $self->{report}->count(lost => "name of a 1:1") if defined $conv->{name};
    }

    return object(conv_id => string($id), conv_type => $conv->{type},
                  conv_users => encode_json(\@members), @group,
                  created => $conv->{created}, unread => $unread ? 'true' : undef)
           =~ s/\}\z/,"messages":[/r;
}


sub group_name {
    my ($self, $conv) = @_;
    return $self->cut($conv->{name}, $NAME) if defined $conv->{name};

    my @names;
    for my $id (@{ $conv->{members} }) {
        push @names, $self->profile($id)->{name} // $id;
        last if @names == 16;
    }
    $self->{report}->count(lost => 'name of a group: members joined');
    return $self->cut(join(', ', @names), $NAME, 1);
}


# at most so many bytes, whole characters

sub cut {
    my ($self, $text, $max, $quiet) = @_;
    return $text if bytes($text) <= $max;
    $self->{report}->count(lost => 'end of a text that is too long') if !$quiet;
    $text = substr $text, 0, $max;
    chop $text while bytes($text) > $max;
    return $text;
}


# The read position of each member: before the count-th newest message of
# others, all for those who have no count.

sub write_reads {
    my ($self, $id, $conv, $tail, @unread) = @_;
    my %count = map { unescape($_->[1]) => $_->[2] } @unread;

    for my $user (@{ $conv->{members} }) {
        my $left = delete $count{$user} // 0;
        my $i = $#$tail;
        for (; $i >= 0 && $left; $i--) {
            $left-- if $tail->[$i][1] ne $user;
        }
        next if $i < 0;         # all are unread
        print { $self->{to}{'batches.jsonl'} }
            object(call => string("conv/$id/read"),
                   body => object(from_id => string($user),
                                  msg_id => string($tail->[$i][0]))), "\n";
    }
    $self->{report}->count(unread => 'rows of users who are not members', scalar keys %count)
        if %count;
}


sub write_users {
    my ($self) = @_;
    my $to = $self->output('users.jsonl');
    my @batch;
    my $flush = sub {
        print {$to} object(call => string('user/set'),
            body => object(users => '[' . join(',', splice @batch) . ']')), "\n"
            or die "users.jsonl: $!\n";
    };

    while (my $row = $self->{clients}->next) {
        my $id = unescape($row->[0]);
        my $p = $self->profile($id);
        $self->{report}->count(users => %$p ? 'with a profile' : 'without a profile');
        next if !%$p;
        push @batch, object(id => string($id),
            name => defined $p->{name} ? string($self->cut($p->{name}, $USER_NAME)) : undef,
            img => defined $p->{img} ? string($p->{img}) : undef);
        $flush->() if @batch == 500;
    }
    $flush->() if @batch;
}


sub profile {
    my ($self, $id) = @_;
    my ($row) = $self->{users}->find(escape($id));
    my ($p) = $row ? decode_json($row->[3]) : {};
    delete $p->{img} if defined $p->{img} && bytes($p->{img}) > $IMG;
    return { map { $_ => $p->{$_} } grep { defined $p->{$_} } keys %$p };
}


# while the tables are read the keys of files are not sorted yet

sub file_url {
    my ($self, $id) = @_;
    return if !defined $self->{message}{file_base} || !defined $id;
    $self->{file_keys} //= do {
        my $next = IM::Tables::rows(
            [ IM::Tables::files($self->{dir}, $self->{tables}) ], '_File');
        my $keys = IM::Sort->new(dir => $self->{tmp}, name => 'keys');
        while (my ($row) = $next->()) {
            $keys->add(escape($row->{objectId}), escape($row->{key}))
                if $row && length($row->{objectId} // '') && length($row->{key} // '');
        }
        $keys->finish;
    };
    my ($row) = $self->{file_keys}->find(escape($id));
    return $row && $self->{message}{file_base} . unescape($row->[1]);
}


# --- small things, for lists of arguments: undef where there is nothing

sub skip {
    my ($self, $conv, $id, $time, $why) = @_;
    $self->{report}->count(messages => "skipped: $why");
    $self->skipped($conv, $id, $time, $why);
}


sub skipped {
    my ($self, $conv, $id, $time, $why) = @_;
    my $to = $self->{to}{'skipped.jsonl'} // $self->output('skipped.jsonl');
    print {$to} object(conv_id => string($conv // ''), msg_id => string($id // ''),
                       timestamp => ($time // '') =~ /^\d+$/ ? $time + 0 : 0,
                       why => string($why)), "\n";
}


sub dig {
    my ($row, $path) = @_;
    return undef if !length($path // '');
    for my $name (split /\./, $path) {
        return undef if ref $row ne 'HASH';
        $row = $row->{$name};
    }
    return $row;
}


sub plain_text {
    my ($text) = @_;
    return undef if ref $text || !length($text // '');
    return (clean("$text"))[0];
}


sub bytes {
    my ($text) = @_;
    utf8::encode($text);
    return length $text;
}


# ms of a date as tables have it

sub iso {
    my ($date) = @_;
    $date = $date->{iso} if ref $date eq 'HASH';
    my @d = ($date // '') =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?\d*Z$/
        or return undef;
    my $s = eval { timegm($d[5], $d[4], $d[3], $d[2], $d[1] - 1, $d[0]) } // return undef;
    my $ms = $s * 1000 + substr(($d[6] // '') . '000', 0, 3);
    return $ms >= 1e12 ? $ms : undef;           # times of the API have 13 digits
}


1;
